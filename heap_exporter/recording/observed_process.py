"""Observes a process of the same user until it ends, and reads how it ended; the process is not affected.

The kernel shows the status of an ended process in ``/proc/PID/stat`` until its parent has waited for it, and from Linux
6.15 on also afterwards to holders of a pidfd.
"""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import time
from contextlib import suppress

WITH_PARENT_SECONDS = 1.0
"""SIGKILL within this time after the end of the parent's thread counts as its consequence."""

_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_STATE, _PARENT, _EXIT_CODE = 0, 1, 49
"""Fields of ``/proc/PID/stat`` after the name of the program (proc(5), fields 3, 4 and 52)."""

_ENDED = b"Z", b"X"
"""States of a process, or a thread, that has ended."""

_PLACEHOLDER = b" " * 16 + b"\n"
"""Content of the file while the process runs. The exit code replaces it in place, which works on a full disk too."""

_GET_INFO, _INFO_EXIT, _INFO_EXIT_CODE, _INFO_BYTES = 0xC040FF0B, 1 << 3, 60, 64
"""``PIDFD_GET_INFO``, ``PIDFD_INFO_EXIT`` and ``struct pidfd_info`` of linux/pidfd.h, first version."""


class ObservedProcess:
    """A process whose exit is observed: its pidfd and its ``/proc/PID/stat`` are open. Raises ``OSError``.

    Once it has ended, ``ended_at`` is a monotonic time. ``exit_code`` is negative for a signal, and ``None`` if the
    kernel no longer shows it.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended_at: float | None = None
        self.exit_code: int | None = None
        self.pidfd = os.pidfd_open(pid)
        try:
            self._stat = os.open(f"/proc/{pid}/stat", os.O_RDONLY | _OPEN)
        except OSError:
            os.close(self.pidfd)
            raise

    def parent_pid(self) -> int:
        """Return the pid of the parent. Raises ``OSError`` after the end of the process."""
        return int(_stat_fields(self._stat)[_PARENT])

    def end(self) -> None:
        """Note that the process has ended, and its exit code."""
        self.ended_at = time.monotonic()
        status = self._zombie_status()
        if status is None:
            status = self._reaped_status()
        self.exit_code = None if status is None else os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Close the descriptors of the process."""
        os.close(self.pidfd)
        os.close(self._stat)

    def _zombie_status(self) -> int | None:
        """Return the wait status of the process while its parent has not waited for it.

        The kernel shows 0 to other users, so 0 counts only for a process of the same user.
        """
        try:
            fields = _stat_fields(self._stat)
            status = int(fields[_EXIT_CODE])
            if fields[_STATE] in _ENDED and (status or os.stat(f"/proc/{self.pid}").st_uid == os.geteuid()):
                return status
        except OSError:  # its parent has waited for it
            pass
        return None

    def _reaped_status(self) -> int | None:
        """Return the wait status of the process after its parent has waited for it (Linux 6.15)."""
        info = bytearray(_INFO_BYTES)
        struct.pack_into("=Q", info, 0, _INFO_EXIT)
        try:
            fcntl.ioctl(self.pidfd, _GET_INFO, info)
        except OSError:
            return None
        is_known = struct.unpack_from("=Q", info, 0)[0] & _INFO_EXIT
        return int(struct.unpack_from("=i", info, _INFO_EXIT_CODE)[0]) if is_known else None


class ParentProcess(ObservedProcess):
    """The parent of a process, and its thread that has forked the process. Raises ``OSError``.

    A process may have asked the kernel to kill it when that thread ends, as children of Celery do (PR_SET_PDEATHSIG).
    """

    def __init__(self, pid: int, child: int) -> None:
        super().__init__(pid)
        self.thread_ended_at: float | None = None
        try:
            self._thread = os.open(f"/proc/{pid}/task/{forking_thread(pid, child)}/stat", os.O_RDONLY | _OPEN)
        except OSError:
            super().close()
            raise

    def check_thread(self) -> None:
        """Note when the thread has ended. Called once a second."""
        if self.thread_ended_at is None and not _is_alive(self._thread):
            self.thread_ended_at = time.monotonic()

    @property
    def is_killed(self) -> bool:
        """Return whether SIGKILL has ended the parent, or is ending it."""
        try:
            return self.exit_code == -signal.SIGKILL or int(_stat_fields(self._stat)[_EXIT_CODE]) == signal.SIGKILL
        except OSError:  # its own parent has waited for it
            return self._reaped_status() == signal.SIGKILL

    def close(self) -> None:
        """Close the descriptors of the parent and its thread."""
        super().close()
        os.close(self._thread)


class RecordedProcess:
    """A process that records, its parent, and the file for its exit code. Raises ``OSError``."""

    def __init__(self, pid: int) -> None:
        self.process = ObservedProcess(pid)
        self.parent: ParentProcess | None = None
        self.recorded_at = time.monotonic()
        self._exit_file = -1
        with suppress(OSError):  # it has no parent in this container
            self.parent = ParentProcess(self.process.parent_pid(), pid)

    @property
    def observed(self) -> list[ObservedProcess]:
        """Return the process, and its parent if it has one."""
        return [self.process, self.parent] if self.parent else [self.process]

    def create_file(self, folder: int, name: str) -> None:
        """Create the file for the exit code. Raises ``OSError``."""
        self._exit_file = os.open(name, os.O_WRONLY | os.O_CREAT | _OPEN, 0o600, dir_fd=folder)
        os.pwrite(self._exit_file, _PLACEHOLDER, 0)

    def record_exit(self) -> None:
        """Write the exit code of the ended process to its file, if it is known. Raises ``OSError``."""
        code = self.process.exit_code
        if code is not None:
            with_parent = b"with-parent" if self._was_killed_with_parent() else b""
            os.pwrite(self._exit_file, b"%4d %-11s\n" % (code, with_parent), 0)

    def record_replacement(self) -> None:
        """Write that the process has stopped recording, but has not ended. Raises ``OSError``."""
        os.pwrite(self._exit_file, b"%-16s\n" % b"replaced", 0)

    def close(self) -> None:
        """Close the descriptors of the recorded process and its parent."""
        for each in self.observed:
            each.close()
        if self._exit_file >= 0:
            os.close(self._exit_file)

    def _was_killed_with_parent(self) -> bool:
        """Return whether SIGKILL ended this process because its parent, or its thread, had ended in another way."""
        process, parent = self.process, self.parent
        if parent is None or parent.thread_ended_at is None or process.ended_at is None:
            return False
        is_soon = process.ended_at - parent.thread_ended_at < WITH_PARENT_SECONDS
        return is_soon and process.exit_code == -signal.SIGKILL and not parent.is_killed


def forking_thread(pid: int, child: int) -> int:
    """Return the thread that forked a child of a process; the main thread if the kernel names none.

    Raises ``OSError`` if the process has ended.
    """
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                if b"%d" % child in file.read().split():
                    return int(thread)
        except OSError:  # the thread has ended, or the kernel has no such file
            continue
    return pid


def _stat_fields(stat: int) -> list[bytes]:
    """Return the fields of an open ``/proc/PID/stat`` after the name of the program. Raises ``OSError``."""
    return os.pread(stat, 4096, 0).rpartition(b")")[2].split()


def _is_alive(stat: int) -> bool:
    """Return whether the process or thread of an open ``stat`` file has not ended."""
    try:
        return _stat_fields(stat)[_STATE] not in _ENDED
    except OSError:
        return False
