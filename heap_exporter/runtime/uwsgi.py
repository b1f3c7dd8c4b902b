"""Forks of uWSGI, which happen in C and without Python's hooks.

uWSGI's first process imports the application and forks the workers, unless it has the option ``lazy-apps``. It does not
hold the GIL at a later fork: if a thread of the first process holds it at that moment, the new worker waits for it for
ever. So no thread of this package runs there, unless the option ``py-call-uwsgi-fork-hooks`` makes these forks those
of Python.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from heap_exporter.runtime.logs import warn_once

FORK_HOOKS = "py-call-uwsgi-fork-hooks"


def forks_later() -> bool:
    """Return whether this process is uWSGI's first one, which is going to fork workers without Python's hooks."""
    uwsgi = _uwsgi()
    if uwsgi is None or FORK_HOOKS in uwsgi.opt:
        return False
    return not (uwsgi.worker_id() or uwsgi.mule_id() or uwsgi.i_am_the_spooler())


def call_in_workers(function: Callable[[], object]) -> None:
    """Have uWSGI call ``function()`` in each process that it forks from now on, besides what it calls already."""
    uwsgi = _uwsgi()
    if uwsgi is None:
        return
    with suppress(Exception):  # it needs a first process without requests; imported later, it would replace our hook
        importlib.import_module("uwsgidecorators")
    before = getattr(uwsgi, "post_fork_hook", None)

    def hook() -> None:
        if before is not None:
            before()
        function()

    uwsgi.post_fork_hook = hook


def warn_without_threads() -> None:
    """Log once that uWSGI runs no threads of Python, if that is so."""
    uwsgi = _uwsgi()
    if uwsgi is not None and not uwsgi.has_threads:
        warn_once(
            "heap-exporter takes no samples while this uWSGI process answers no request: start uWSGI with "
            "--enable-threads"
        )


def _uwsgi() -> Any:
    """Return the module that only a process of uWSGI has, ``None`` elsewhere."""
    return sys.modules.get("uwsgi")
