"""The exit watcher: a small process that records the exit code or the signal with which each process of a service ends.

A process that a signal or ``os._exit()`` ends cannot record that itself, and only its parent may wait for it.

One exit watcher observes all processes that record to one folder. It does not affect them: it opens a pidfd of each,
and sleeps. It ends some seconds after the last of them. It imports few modules: it runs as long as the service and must
use little memory.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from contextlib import suppress

from heap_exporter.recording.observed_process import RecordedProcess
from heap_exporter.recording.watcher_lock import lock_holder, remove_stale_locks, try_lock

TYPE_CHECKING = False  # an import of typing would cost memory
if TYPE_CHECKING:
    from collections.abc import Callable

    from heap_exporter.recording.observed_process import ObservedProcess

SCAN_SECONDS = 1.0
"""Time between two scans for processes that have begun to record, if the kernel signals no change."""

IDLE_SECONDS = 5.0
"""Time without a process before the watcher ends: a process that ends is often replaced by another one.

A process that stops recording is watched for this time too, because most of them end then.
"""

SCANS_PER_CHANGE = 3
"""Number of scans after a change of the folder: a new file is not locked at once."""

_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


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


def main(folder: str, lock_name: str, csv_suffix: str, exit_suffix: str) -> None:
    """Watch a folder of recordings, unless another process watches it."""
    watcher = ExitWatcher(folder, csv_suffix, exit_suffix)
    os.chdir("/")
    lock = os.open(lock_name, os.O_RDWR | os.O_CREAT | _OPEN, 0o600, dir_fd=watcher.folder)
    if try_lock(lock):
        remove_stale_locks(watcher.folder, lock_name)
        watcher.run()
        os.unlink(lock_name, dir_fd=watcher.folder)
