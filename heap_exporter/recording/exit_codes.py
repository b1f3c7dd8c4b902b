"""Reads the exit codes of recorded processes, which the exit watcher (``exit_watcher.py``) has written."""

from __future__ import annotations

import signal
from typing import NamedTuple

from heap_exporter.runtime.own_folder import OwnFolder

CRASHES = frozenset(
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS")
    if hasattr(signal, name)
)
"""Signals by which a process ends because of an error of its own."""

FIRST_PID = 1
"""The first process of a container.

When it ends, the kernel kills all other processes of the container, the watcher too. Of the signals that it does not
handle, only SIGKILL from outside of the container ends it.
"""

MIN_CODE, MAX_CODE = -64, 255
MAX_BYTES = 32
WITH_PARENT, REPLACED = b"with-parent", b"replaced"


class ExitRecord(NamedTuple):
    """How a process ended: its exit code, or the negative number of the signal that ended it.

    ``is_with_parent`` means that the kernel killed it because its parent had ended in another way than by SIGKILL.
    ``code`` is ``None`` if the process stopped recording, but did not end.
    """

    code: int | None
    is_with_parent: bool = False

    @property
    def is_sigkill(self) -> bool:
        """Return whether SIGKILL ended this process, whatever its reason."""
        return self.code == -getattr(signal, "SIGKILL", 9)

    @property
    def is_crash(self) -> bool:
        """Return whether this process crashed."""
        return self.code is not None and -self.code in CRASHES

    @property
    def is_stop(self) -> bool:
        """Return whether this process ended in another way than by a kill or a crash."""
        return self.is_with_parent or not (self.is_sigkill or self.is_crash)


def read_exit(folder: OwnFolder, name: str) -> ExitRecord | None:
    """Return what the exit watcher has recorded in a file, ``None`` if it recorded no exit. Raises nothing."""
    try:
        code, *rest = folder.read(name, MAX_BYTES).split()
        number = None if code == REPLACED else int(code)
    except (OSError, ValueError):
        return None
    return ExitRecord(number, rest == [WITH_PARENT]) if number is None or MIN_CODE <= number <= MAX_CODE else None
