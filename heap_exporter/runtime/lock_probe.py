"""Checks whether another process has a file locked, without taking the lock.

The exit watcher imports this; it imports no module that the watcher does not need anyway.
"""

from __future__ import annotations

import fcntl
import os
import struct

_LOCK = struct.Struct("@hhqqi4x")
"""``struct flock`` of fcntl(2) on 64-bit Linux."""


def lock_holder(file: int) -> int | None:
    """Return the pid of the process that has an open file locked, ``None`` if no other process has. Raises ``OSError``.

    The pid is not positive for a process of another container or machine.
    """
    lock = fcntl.fcntl(file, fcntl.F_GETLK, _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    kind, _, _, _, pid = _LOCK.unpack(lock)
    return None if kind == fcntl.F_UNLCK else int(pid)
