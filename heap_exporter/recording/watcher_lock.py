"""The lock of the exit watcher of a folder: one watcher for each folder and container.

The exit watcher and the services import this; it imports no module that one of them does not need anyway.
"""

from __future__ import annotations

import fcntl
import os

from heap_exporter.runtime import lock_probe

LOCK_PREFIX = ".watcher-"

_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def lock_holder(folder: int, name: str) -> int | None:
    """Return the pid of the process that has a file locked, as :func:`lock_probe.lock_holder` does."""
    file = os.open(name, os.O_RDONLY | _OPEN, dir_fd=folder)
    try:
        return lock_probe.lock_holder(file)
    finally:
        os.close(file)


def is_locked(folder: int, name: str) -> bool:
    """Return whether another process has a file of an open folder locked. Raises ``OSError``."""
    try:
        return lock_holder(folder, name) is not None
    except FileNotFoundError:
        return False


def remove_stale_locks(folder: int, own_lock: str) -> None:
    """Remove the locks of watchers that were killed: each container has a lock of its own name.

    The lock of this process is not opened again: closing it would release the lock.
    """
    for name in os.listdir(folder):
        if name.startswith(LOCK_PREFIX) and name != own_lock:
            try:
                if lock_holder(folder, name) is None:
                    os.unlink(name, dir_fd=folder)
            except OSError:  # another watcher has removed it
                continue


def try_lock(file: int) -> bool:
    """Lock a file, unless another process has it locked. Raises ``OSError`` where no lock is possible."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
