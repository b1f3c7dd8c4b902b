"""Has objects told, in a forked child, that they live in a new process now."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

from heap_exporter.runtime.logs import log


class Forkable(Protocol):
    """Something with threads, sockets or figures of the process it was made in."""

    def after_fork(self) -> None:
        """Begin anew, in the child's only thread; a lock that another thread held stays locked for ever."""


_watched: list[weakref.ref[Forkable]] = []
_hooked = False


def register(forkable: Forkable) -> None:
    """Call ``forkable.after_fork()`` in each child forked from now on, for as long as the object lives."""
    global _hooked  # noqa: PLW0603  # a fork hook cannot be taken back, so it is set once
    if not any(known() is forkable for known in _watched):
        _watched.append(weakref.ref(forkable))
    if not _hooked and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork_in_child)
        _hooked = True


def unregister(forkable: Forkable) -> None:
    """Call it no more."""
    _watched[:] = [known for known in _watched if known() not in (None, forkable)]


def _after_fork_in_child() -> None:
    for known in tuple(_watched):  # it may change meanwhile
        forkable = known()
        try:
            if forkable is not None:
                forkable.after_fork()
        except Exception:  # it would be printed into the application's stderr as an unraisable error
            log.exception("heap-exporter does not run in forked process %d", os.getpid())
