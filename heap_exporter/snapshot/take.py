"""Taking snapshots: one at a time, and none that would cost the process its memory or its disk."""

from __future__ import annotations

import os
import platform
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from heap_exporter.errors import HeapExporterError, SnapshotBusy, SnapshotError, SnapshotNoMemory
from heap_exporter.logs import log
from heap_exporter.model import SnapshotInfo
from heap_exporter.snapshot.format import Header, encode
from heap_exporter.snapshot.store import Store
from heap_exporter.walker import Walker

BYTES_PER_OBJECT = 16
"""What the portable walker holds for an object it walks: its place in the list of all, and in the chunk at hand."""

BASE_BYTES = 16 * 1024 * 1024
"""What a walk takes whatever the size of the heap: tables by type, the encoded file."""

FREE_DISK_BYTES = 64 * 1024 * 1024
"""Free space below which no snapshot is begun: the disk is the application's first."""

REASON_CHARS = 200
FAILURES_KEPT = 64


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a snapshot that was asked for has come; ``info`` once written, ``problem`` once failed."""

    id: str
    state: Literal["running", "failed", "written"]
    info: SnapshotInfo | None = None
    problem: str = ""


class Snapshots:
    """Takes snapshots with ``walker`` into ``store``.

    ``headroom()`` returns the bytes left under the memory limit, or None without a limit. ``objects()`` returns an
    upper bound of the number of objects; the default counts pymalloc's blocks, of which an object takes one or more.
    ``wake()`` tells whoever calls :meth:`take_pending` that there is something to take, or a new count to tell.
    Starts no thread.
    """

    def __init__(
        self,
        walker: Walker,
        store: Store,
        headroom: Callable[[], int | None],
        *,
        clock: Callable[[], float] = time.time,
        objects: Callable[[], int] = sys.getallocatedblocks,
        process_started_at: float | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.last: SnapshotInfo | None = None
        self.outcomes = {"written": 0, "busy": 0, "failed": 0, "no_memory": 0, "no_disk": 0}
        self._walker = walker
        self._headroom = headroom
        self._clock = clock
        self._objects = objects
        self._process_started_at = process_started_at
        self._wake = wake
        self._busy = threading.Lock()
        self._running: str | None = None
        self._pending: tuple[str, str] | None = None
        self._failures: dict[str, str] = {}

    def take(self, reason: str) -> SnapshotInfo:
        """Take a snapshot now, in this thread. Raises a :class:`SnapshotError` that says why there is none."""
        try:
            return self._take(self._begin(), reason)
        finally:
            self._wake()

    def reserve(self, reason: str) -> str:
        """Return the id of a snapshot that :meth:`take_pending` shall take. Raises :class:`SnapshotBusy`."""
        reserved = self._begin()
        self._pending = (reserved, reason)
        self._wake()
        return reserved

    def take_pending(self) -> None:
        """Take the reserved snapshot, if there is one. Raises nothing: :meth:`state` tells how it went."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            self._take(*pending)
        except SnapshotError as error:
            log.warning("snapshot %s was not written: %s", pending[0], error)

    def give_up_pending(self) -> None:
        """Let the reserved snapshot, if there is one, fail: nobody will take it any more."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self._fail(pending[0], SnapshotError("the exporter was stopped before the snapshot was taken"))
            self._running = None
            self._busy.release()

    def state(self, id: str) -> Progress:
        """Return how far the snapshot ``id`` has come. Raises :class:`SnapshotNotFound` if nobody asked for it."""
        if id == self._running:
            return Progress(id, "running")
        if id in self._failures:
            return Progress(id, "failed", problem=self._failures[id])
        return Progress(id, "written", info=self.store.get(id))

    def _begin(self) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        begun = f"{stamp}-{os.getpid()}-{secrets.token_hex(2)}"
        if not self._busy.acquire(blocking=False):
            self.outcomes["busy"] += 1
            raise SnapshotBusy("another snapshot is being taken; only one is at a time")
        self._running = begun
        return begun

    def _take(self, id: str, reason: str) -> SnapshotInfo:
        try:
            info = self._write(id, reason)
        except SnapshotError as error:
            self._fail(id, error)
            raise
        except HeapExporterError as error:
            failure = SnapshotError(str(error))
            self._fail(id, failure)
            raise failure from error
        except Exception as error:
            log.exception("snapshot %s failed", id)
            failure = SnapshotError(f"the snapshot failed: {type(error).__name__}: {error}; the log has the traceback")
            self._fail(id, failure)
            raise failure from error
        finally:
            self._running = None
            self._busy.release()
        self.outcomes["written"] += 1
        self.last = info
        return info

    def _write(self, id: str, reason: str) -> SnapshotInfo:
        self._check_memory()
        self.store.prepare(FREE_DISK_BYTES)
        taken_at, began = self._clock(), time.monotonic()
        graph = self._walker.graph_summary()
        header = Header(
            id=id,
            taken_at=taken_at,
            duration_seconds=time.monotonic() - began,
            pause_seconds=graph.census.pause_seconds,
            reason=_clean(reason),
            walker=self._walker.name,
            pid=os.getpid(),
            uptime_seconds=None if self._process_started_at is None else taken_at - self._process_started_at,
            python_version=platform.python_version(),
            implementation=sys.implementation.name,
        )
        self.store.write(id, encode(header, graph))
        return self.store.get(id)

    def _check_memory(self) -> None:
        headroom = self._headroom()
        needed = BASE_BYTES + BYTES_PER_OBJECT * self._objects()
        if headroom is not None and headroom < needed:
            raise SnapshotNoMemory(
                f"a snapshot may take {needed >> 20} MiB; {max(headroom, 0) >> 20} MiB are left under the memory limit"
            )

    def _fail(self, id: str, error: SnapshotError) -> None:
        self.outcomes[error.outcome] += 1
        self._failures[id] = str(error)
        while len(self._failures) > FAILURES_KEPT:
            del self._failures[next(iter(self._failures))]


def _clean(reason: str) -> str:
    """Return the caller's words on one line, printable and short."""
    words = "".join(char if char.isprintable() else " " for char in reason[: 4 * REASON_CHARS])
    return " ".join(words.split())[:REASON_CHARS]
