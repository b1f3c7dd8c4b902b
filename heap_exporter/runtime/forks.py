"""Resets modules and registered objects in a forked child, also in one that a library forked without Python's hooks."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Protocol

from heap_exporter.runtime.fork_pause import import_pause
from heap_exporter.runtime.logs import log


class Forkable(Protocol):
    """An object with threads, sockets or values of the process that created it."""

    def after_fork(self) -> None:
        """Reset the object, in the only thread of the child; a lock that another thread held stays locked forever."""


_resets: list[Callable[[], None]] = [import_pause.reset_in_child]
_registered: list[weakref.ref[Forkable]] = []
_pid = os.getpid()


def reset_in_child(reset: Callable[[], None]) -> None:
    """Call ``reset()`` in each child that is forked from now on, before the registered objects are reset."""
    _resets.append(reset)


def register(forkable: Forkable) -> None:
    """Call ``forkable.after_fork()`` in each child that is forked from now on, while the object exists."""
    if not any(known() is forkable for known in _registered):
        _registered.append(weakref.ref(forkable))


def unregister(forkable: Forkable) -> None:
    """Undo :func:`register`."""
    _registered[:] = [known for known in _registered if known() not in (None, forkable)]


def reset() -> None:
    """Reset all, in a forked child."""
    global _pid  # noqa: PLW0603  # this process is reset
    _pid = os.getpid()
    for each in _resets:
        each()
    for known in tuple(_registered):  # the calls may change it
        forkable = known()
        try:
            if forkable is not None:
                forkable.after_fork()
        except Exception:  # Python would print it to the application's stderr as unraisable
            log.exception("heap-exporter is not running in forked process %d", os.getpid())


def reset_if_forked() -> bool:
    """Reset all if this process was forked and no hook has done it; return whether that was so."""
    was_forked = os.getpid() != _pid
    if was_forked:
        reset()
    return was_forked


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=reset)
