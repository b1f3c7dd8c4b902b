"""Resets registered objects in a forked child."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

from heap_exporter.runtime.logs import log


class Forkable(Protocol):
    """An object with threads, sockets or values of the process that created it."""

    def after_fork(self) -> None:
        """Reset the object, in the only thread of the child; a lock that another thread held stays locked forever."""


_registered: list[weakref.ref[Forkable]] = []
_hooked = False


def register(forkable: Forkable) -> None:
    """Call ``forkable.after_fork()`` in each child that is forked from now on, while the object exists."""
    global _hooked  # noqa: PLW0603  # a fork hook cannot be removed, so it is set once
    if not any(known() is forkable for known in _registered):
        _registered.append(weakref.ref(forkable))
    if not _hooked and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork_in_child)
        _hooked = True


def unregister(forkable: Forkable) -> None:
    """Undo :func:`register`."""
    _registered[:] = [known for known in _registered if known() not in (None, forkable)]


def _after_fork_in_child() -> None:
    for known in tuple(_registered):  # the calls may change it
        forkable = known()
        try:
            if forkable is not None:
                forkable.after_fork()
        except Exception:  # Python would print it to the application's stderr as unraisable
            log.exception("heap-exporter is not running in forked process %d", os.getpid())
