"""Whose turn it is to take a snapshot: one at a time, of all threads and processes that share a folder."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from heap_exporter.errors import SnapshotBusy, SnapshotNoDisk
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.snapshot.retention import SNAPSHOT_LOCK
from heap_exporter.snapshot.store import Store

CROWD = 3
CROWD_SECONDS = 10.0
"""So many who were refused while one was taken are a crowd, and for so long none who may belong to it is served. Those
who asked at the same time are still being answered when a short walk is over, and each would set off another one.
"""


SWEEP_SECONDS = 2.0
"""How long a sweep of the folder by this process is waited for, which no snapshot should be refused for."""


class Turns:
    """Gives one turn at a time, in the folder of ``store``. Whoever begins one must end it, in whatever thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = threading.Lock()
        self._processes = FolderLock(store.directory, SNAPSHOT_LOCK)
        self._is_swept = False
        self._refused_at: deque[float] = deque(maxlen=CROWD)

    def begin(self, *, is_bulk: bool) -> None:
        """Take the turn; ``is_bulk`` is for those who may be of a crowd, and wait until it has gone.

        Raises :class:`SnapshotBusy`, or :class:`SnapshotNoDisk` where the folder cannot be written to.
        """
        wait = self.burst_wait_seconds() if is_bulk else 0.0
        if wait > 0:
            raise SnapshotBusy(f"many asked for a snapshot at once and one was taken; ask again in {wait:.0f} s")
        try:
            self._begin()
        except SnapshotBusy:
            self._refused_at.append(time.monotonic())
            raise
        self._refused_at.clear()

    def end(self) -> None:
        """End the turn."""
        self._processes.release()
        self._threads.release()

    def burst_wait_seconds(self) -> float:
        """Return for how long those who may be of a crowd are refused, 0 if there is none."""
        refused_at = tuple(self._refused_at)
        return max(refused_at[-1] + CROWD_SECONDS - time.monotonic(), 0.0) if len(refused_at) == CROWD else 0.0

    @contextmanager
    def if_free(self) -> Iterator[bool]:
        """Hold the turn if nobody else does; yield whether surely no other process has it."""
        self._is_swept = True
        try:
            self._begin()
        except (SnapshotBusy, SnapshotNoDisk):
            self._is_swept = False
            yield False
            return
        try:
            yield self._processes.excludes_others
        finally:
            self.end()
            self._is_swept = False

    def _begin(self) -> None:
        if not self._threads.acquire(timeout=SWEEP_SECONDS if self._is_swept else 0):
            raise SnapshotBusy("another snapshot is being taken; only one is at a time")
        try:
            self._store.prepare()
            self._processes.acquire()
        except BaseException as error:
            self._threads.release()
            if isinstance(error, LockHeld):
                problem = f"another snapshot is being taken, by {error.owner}; only one is at a time"
                raise SnapshotBusy(problem) from error
            if isinstance(error, OSError):
                raise SnapshotNoDisk(self._store.directory, f"{error.strerror or error}; make room") from error
            raise
