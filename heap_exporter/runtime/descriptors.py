"""Opens files whose descriptors a forked child closes.

The disk space of a removed file is free once all processes have closed it. Without this, a child would keep each file
open that a thread of its parent was writing or reading at the fork: close-on-exec only works in a child that execs.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path

from heap_exporter.runtime import forks
from heap_exporter.runtime.fork_pause import ForkPause

_opened: dict[int, tuple[int, int]] = {}
"""The device and inode of each descriptor: the application may have closed it and reused its number."""

opening = ForkPause(max_wait_seconds=0.1)
"""A fork waits for a file that another thread is opening: normally microseconds."""


def open_descriptor(path: str | Path, flags: int, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
    """Return a descriptor, as ``os.open`` does, for :func:`close_descriptor` to close. Raises ``OSError``."""
    with opening.active():
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), mode, dir_fd=dir_fd)
        _opened[descriptor] = _identity(descriptor)
    return descriptor


def is_open(descriptor: int) -> bool:
    """Return whether this process has opened a descriptor of :func:`open_descriptor` and not closed it since."""
    with suppress(OSError):
        return _opened.get(descriptor) == _identity(descriptor)
    return False


def close_descriptor(descriptor: int) -> None:
    """Close a descriptor of :func:`open_descriptor`, unless it is already closed, as in a forked child."""
    opened = _opened.get(descriptor)
    if is_open(descriptor):
        os.close(descriptor)  # before it is forgotten: another thread may fork in between
    with opening.active():
        if _opened.get(descriptor) is opened:  # no other thread has reused the number meanwhile
            _opened.pop(descriptor, None)


class ReadFile(io.FileIO):
    """A file opened for reading that owns a descriptor of :func:`open_descriptor`."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "rb", closefd=False)
        self._descriptor = descriptor
        self._pid = os.getpid()

    def close(self) -> None:
        """Close the file and its descriptor; in a forked child, another file may use the number."""
        if not self.closed:
            super().close()
            if self._pid == os.getpid():
                close_descriptor(self._descriptor)


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _close_in_child() -> None:
    for descriptor in tuple(_opened):
        with suppress(OSError):
            close_descriptor(descriptor)


forks.reset_in_child(opening.reset_in_child)  # first: after a fork that waited in vain another thread has its lock
forks.reset_in_child(_close_in_child)
