"""Ensures that all threads and processes that share a folder take one snapshot at a time, and limits bursts."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from heap_exporter.errors import SnapshotBusy, SnapshotNoDisk
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.snapshot.file_names import SNAPSHOT_LOCK
from heap_exporter.snapshot.store import Store

BURST_REQUESTS = 3
BURST_SECONDS = 10.0
"""This many refused requests during one snapshot are a burst; requests with a burst limit are then refused for this
long. After a short walk the server still has requests of the same burst, and each would start another snapshot.
"""

CLEAN_UP_SECONDS = 2.0
"""How long a snapshot waits for a clean-up of the folder by this process, instead of being refused."""


class Turns:
    """Gives one turn at a time to take a snapshot into the folder of ``store``. Each turn must end, in any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = threading.Lock()
        self._processes = FolderLock(store.directory, SNAPSHOT_LOCK)
        self._is_cleaning = False
        self._refused_at: deque[float] = deque(maxlen=BURST_REQUESTS)

    def begin(self, *, limit_bursts: bool) -> None:
        """Begin the turn to take a snapshot; ``limit_bursts`` refuses it for some seconds after a burst of requests.

        Raises :class:`SnapshotBusy`, or :class:`SnapshotNoDisk` where the folder cannot be written to.
        """
        wait = self.burst_wait_seconds() if limit_bursts else 0.0
        if wait > 0:
            raise SnapshotBusy(f"too many snapshots were requested at once; retry in {wait:.0f} s")
        try:
            self._begin()
        except SnapshotBusy:
            self._refused_at.append(time.monotonic())
            raise
        self._refused_at.clear()

    def end(self) -> None:
        """End the turn to take a snapshot."""
        self._processes.release()
        self._threads.release()

    def burst_wait_seconds(self) -> float:
        """Return for how long requests of snapshots with a burst limit are refused, 0 without a burst."""
        refused_at = tuple(self._refused_at)
        return max(refused_at[-1] + BURST_SECONDS - time.monotonic(), 0.0) if len(refused_at) == BURST_REQUESTS else 0.0

    @contextmanager
    def free_turn(self) -> Iterator[bool]:
        """Take the turn of snapshots if it is free; yield whether it is certain that no other process has it."""
        self._is_cleaning = True
        try:
            self._begin()
        except (SnapshotBusy, SnapshotNoDisk):
            self._is_cleaning = False
            yield False
            return
        try:
            yield self._processes.excludes_others
        finally:
            self.end()
            self._is_cleaning = False

    def _begin(self) -> None:
        if not self._threads.acquire(timeout=CLEAN_UP_SECONDS if self._is_cleaning else 0):
            raise SnapshotBusy("another snapshot is being taken; only one can be taken at a time")
        try:
            self._store.prepare()
            self._processes.acquire()
        except BaseException as error:
            self._threads.release()
            if isinstance(error, LockHeld):
                problem = f"another snapshot is being taken by {error.owner}; only one can be taken at a time"
                raise SnapshotBusy(problem) from error
            if isinstance(error, OSError):
                raise SnapshotNoDisk(self._store.directory, f"{error.strerror or error}; free disk space") from error
            raise
