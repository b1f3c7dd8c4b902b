"""The exit watcher: a small process that records the exit code or the signal with which each process of a service ends.

A process that a signal or ``os._exit()`` ends cannot record that itself, and only its parent may wait for it. But the
kernel shows the status of an ended process to any process of the same user in ``/proc/PID/stat`` until its parent has
waited for it, and from Linux 6.15 on also afterwards to holders of a pidfd.

One exit watcher observes all processes that record to one folder. It does not affect them: it opens a pidfd of each,
and sleeps. It ends some seconds after the last of them. It is run as a script that imports few modules of the standard
library and none of this package: it runs as long as the service and must use little memory.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False  # an import of typing would cost memory
if TYPE_CHECKING:
    from collections.abc import Callable

SCAN_SECONDS = 1.0
"""Time between two scans for processes that have begun to record, if the kernel signals no change."""

IDLE_SECONDS = 5.0
"""Time without a process before the watcher ends: a process that ends is often replaced by another one.

A process that stops recording is watched for this time too, because most of them end then.
"""

SCANS_PER_CHANGE = 3
"""Number of scans after a change of the folder: a new file is not locked at once."""

WITH_PARENT_SECONDS = 1.0
"""SIGKILL within this time after the end of the parent's thread counts as its consequence."""

LOCK_PREFIX = ".watcher-"

_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_LOCK = struct.Struct("@hhqqi4x")
"""``struct flock`` of fcntl(2) on 64-bit Linux."""

_PLACEHOLDER = b" " * 16 + b"\n"
"""Content of the file while the process runs. The exit code replaces it in place, which works on a full disk too."""

_STATE, _PARENT, _EXIT_CODE = 0, 1, 49
"""Fields of ``/proc/PID/stat`` after the name of the program (proc(5), fields 3, 4 and 52)."""

_ENDED = b"Z", b"X"
"""States of a process, or a thread, that has ended."""

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


class ExitWatcher:
    """Watches the processes that record to a folder. Raises ``OSError`` if it cannot read the folder."""

    def __init__(self, folder: str, csv_suffix: str, exit_suffix: str) -> None:
        self._csv_suffix, self._exit_suffix = csv_suffix, exit_suffix
        self.folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
        self.is_stopping = False
        self._recorded: dict[str, RecordedProcess] = {}
        self._observed: dict[int, ObservedProcess] = {}
        self._changed_at, self._scans = -1, 0
        self._poller = select.poll()
        self._signals = self._receive_signals(folder)

    def run(self) -> None:
        """Watch until the last process has ended, or the folder is removed."""
        busy_at = time.monotonic()
        while os.fstat(self.folder).st_nlink:
            self._scan()
            self._forget_idle()
            for descriptor, _ in self._poller.poll(SCAN_SECONDS * 1000):
                if descriptor == self._signals:
                    os.read(self._signals, 4096)
                else:
                    self._poller.unregister(descriptor)
                    self._observed.pop(descriptor).end()
            self._check_parents()
            self._record_exits()
            if self._recorded:
                busy_at = time.monotonic()
            elif self.is_stopping or time.monotonic() - busy_at > IDLE_SECONDS:
                return

    def _receive_signals(self, folder: str) -> int:
        """Make the kernel signal each change of the folder; return a descriptor that is readable after each signal.

        systemd sends SIGTERM to all processes of a service, but some of these may end only later.
        """

        def stop(*_: object) -> None:
            self.is_stopping = True

        signals, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller.register(signals, select.POLLIN)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGIO, lambda *_: None)
        with suppress(OSError):  # a kernel without such signals
            # A descriptor of its own: os.listdir() closes a copy of the other one, which would end the signals.
            changes = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
            fcntl.fcntl(changes, fcntl.F_NOTIFY, fcntl.DN_CREATE | fcntl.DN_RENAME | fcntl.DN_MULTISHOT)
        return signals

    def _scan(self) -> None:
        """Watch the processes that have begun to record since the last scan."""
        changed_at = os.fstat(self.folder).st_mtime_ns
        if changed_at != self._changed_at:
            self._changed_at, self._scans = changed_at, SCANS_PER_CHANGE
        if self._scans == 0:
            return
        self._scans -= 1
        for name in os.listdir(self.folder):
            if name.endswith(self._csv_suffix) and name not in self._recorded:
                try:
                    self._watch(name)
                except OSError:  # it has ended meanwhile, or the folder is full: how it ends stays unknown
                    continue

    def _watch(self, name: str) -> None:
        pid = self._recorder_of(name)
        if pid is None or pid == os.getppid():  # a parent may wait for the end of all of its children
            return
        recorded = RecordedProcess(pid)
        try:
            if self._recorder_of(name) != pid:  # it has ended, and another process may have its pid
                raise ProcessLookupError
            recorded.create_file(self.folder, name.removesuffix(self._csv_suffix) + self._exit_suffix)
        except OSError:
            recorded.close()
            raise
        self._recorded[name] = recorded
        for each in recorded.observed:
            self._observed[each.pidfd] = each
            self._poller.register(each.pidfd, select.POLLIN)

    def _check_parents(self) -> None:
        for recorded in self._recorded.values():
            if recorded.parent is not None:
                recorded.parent.check_thread()

    def _record_exits(self) -> None:
        """Record the exits of the processes that have ended, and forget them."""
        for name, recorded in list(self._recorded.items()):
            if recorded.process.ended_at is not None:
                self._forget(name, recorded.record_exit)

    def _forget_idle(self) -> None:
        """Forget the processes that have stopped recording but run on: exec(2) closes the locked file, for example."""
        for name, recorded in list(self._recorded.items()):
            if self._recorder_of(name):
                recorded.recorded_at = time.monotonic()
            elif time.monotonic() - recorded.recorded_at > IDLE_SECONDS:
                self._forget(name, recorded.record_replacement)

    def _recorder_of(self, name: str) -> int | None:
        """Return the pid of the process that records to a file: it has the file locked, and the name has its pid.

        A process that reads a recording locks it too, for a moment.
        """
        try:
            pid = lock_holder(self.folder, name)
        except OSError:  # it has been removed
            return None
        return pid if name.removesuffix(self._csv_suffix).split("-")[1:2] == [str(pid)] else None

    def _forget(self, name: str, record: Callable[[], None]) -> None:
        """Record what is known about a process, and stop watching it."""
        with suppress(OSError):  # there is no place to record it
            record()
        recorded = self._recorded.pop(name)
        for observed in recorded.observed:
            if self._observed.pop(observed.pidfd, None):
                self._poller.unregister(observed.pidfd)
        recorded.close()


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


def lock_holder(folder: int, name: str) -> int | None:
    """Return the pid of the process that has a file locked, ``None`` if there is none. Raises ``OSError``.

    The pid is not positive for a process of another container or machine.
    """
    file = os.open(name, os.O_RDONLY | _OPEN, dir_fd=folder)
    try:
        lock = fcntl.fcntl(file, fcntl.F_GETLK, _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        kind, _, _, _, pid = _LOCK.unpack(lock)
        return None if kind == fcntl.F_UNLCK else int(pid)
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


def main(folder: str, lock_name: str, csv_suffix: str, exit_suffix: str) -> None:
    """Watch a folder of recordings, unless another process watches it."""
    watcher = ExitWatcher(folder, csv_suffix, exit_suffix)
    os.chdir("/")
    lock = os.open(lock_name, os.O_RDWR | os.O_CREAT | _OPEN, 0o600, dir_fd=watcher.folder)
    if try_lock(lock):
        remove_stale_locks(watcher.folder, lock_name)
        watcher.run()
        os.unlink(lock_name, dir_fd=watcher.folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
