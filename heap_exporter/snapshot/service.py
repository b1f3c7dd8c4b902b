"""Taking snapshots: one at a time in a folder, and none that would cost the process its memory or its disk."""

from __future__ import annotations

import itertools
import math
import os
import platform
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from heap_exporter.errors import (
    HeapExporterError,
    SnapshotCancelled,
    SnapshotError,
    SnapshotNoDisk,
    SnapshotNoMemory,
    WalkCancelled,
    WalkFailed,
)
from heap_exporter.heapfile.encoder import write_census
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.model import Census, SnapshotInfo, Walk
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import names_by_ident
from heap_exporter.snapshot import preflight, retention
from heap_exporter.snapshot.comparison import Comparison, Comparisons
from heap_exporter.snapshot.pairs import Pairs
from heap_exporter.snapshot.store import Store
from heap_exporter.snapshot.turns import Turns
from heap_exporter.walker import Walker

OUTCOMES = ("written", "census_only", "busy", "failed", "no_memory", "no_disk", "cooldown", "over_budget")
"""What may become of a snapshot that was asked for; ``census_only`` is one for whose graph there was no room.

The last two are refusals of :class:`~heap_exporter.snapshot.budget.Budget`, of snapshots that nobody asked for.
"""

RETRY_SECONDS = 5
"""When to ask again while a snapshot is being taken and none has told how long one takes."""

REASON_CHARS = 200
FAILURES_KEPT = 64

_SUFFIXES = itertools.count(secrets.randbits(16))
"""In what snapshots of one second differ: those of a process always, those of containers with one folder by chance."""


@dataclass(frozen=True, slots=True)
class SnapshotProgress:
    """How far a snapshot that was asked for has come; ``info`` once written, ``problem`` once failed."""

    id: str
    state: Literal["running", "failed", "written"]
    info: SnapshotInfo | None = None
    problem: str = ""


class Snapshots:
    """Takes snapshots with ``walker`` into ``store``.

    ``headroom()`` returns the bytes left under the memory limit, or None without a limit. ``last_census()`` returns the
    census that tells how large the heap is, or None before the first. ``keys`` tells whether the walker writes the keys
    of plain dicts. A graph of at most ``compare_max_objects`` objects is compared with the one before. ``wake()``
    tells whoever calls :meth:`take_pending` that there is something to take, or a new count to tell. Starts no thread.

    One is taken at a time, of all processes that share the folder: who takes one holds a lock there.
    """

    def __init__(
        self,
        walker: Walker,
        store: Store,
        headroom: Callable[[], int | None],
        *,
        clock: Callable[[], float] = time.time,
        last_census: Callable[[], Census | None] = lambda: None,
        keys: bool = False,
        compare_max_objects: int = 0,
        process_started_at: float | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.comparisons = Comparisons(compare_max_objects, headroom, store.report_path)
        self._pairs = Pairs(self.comparisons, store.pins)
        self.last: SnapshotInfo | None = None
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self._walker = walker
        self._headroom = headroom
        self._clock = clock
        self._last_census = last_census
        self._keys = keys
        self._process_started_at = process_started_at
        self._wake = wake
        self._turns = Turns(store)
        self._counting = threading.Lock()
        self._last_graph: SnapshotInfo | None = None
        self._running: str | None = None
        self._pending: tuple[str, str] | None = None
        self._failures: dict[str, str] = {}

    def take(self, reason: str, *, since: SnapshotInfo | None = None, is_bulk: bool = False) -> SnapshotInfo:
        """Take a snapshot now, in this thread. Raises a :class:`SnapshotError` that says why there is none.

        It is compared with ``since``, whatever others have asked for meanwhile, or else with the one before.
        ``is_bulk`` is for those who may be one of a crowd, who are refused until it has gone.
        """
        try:
            return self._take(self._begin(is_bulk=is_bulk), reason, since)
        finally:
            self._wake()

    def reserve(self, reason: str) -> str:
        """Return the id of a snapshot that :meth:`take_pending` shall take, for one who may be of a crowd.

        Raises :class:`SnapshotBusy`, or :class:`SnapshotNoDisk` where the folder cannot be written to.
        """
        reserved = self._begin(is_bulk=True)
        self._pending = (reserved, reason)
        self._wake()
        return reserved

    def poll(self) -> None:
        """Take notice of a comparison that has ended; its report counts to the quota. Raises nothing."""
        self.comparisons.poll()
        if self._pairs.unpin_finished() and self.last is not None:
            self.store.retain(newest=self.last.id)

    def clean_up(self) -> None:
        """Remove from the folder what processes have left that were killed. Raises nothing."""
        directory = self.store.directory
        if directory.is_dir():
            retention.sweep_locks(directory)
            with self._turns.if_free() as is_alone:
                retention.sweep(directory, is_alone=is_alone)

    @property
    def retry_seconds(self) -> int:
        """Return when one who was refused because of another snapshot may ask again."""
        wait = self.last.duration_seconds if self.last else RETRY_SECONDS
        return max(1, math.ceil(max(wait, self._turns.burst_wait_seconds())))

    def count(self, outcome: str) -> None:
        """Count what became of a snapshot: one of :data:`OUTCOMES`."""
        with self._counting:
            self.outcomes[outcome] += 1

    def take_pending(self) -> None:
        """Take the reserved snapshot, if there is one. Raises nothing: :meth:`state` tells how it went."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            self._take(*pending)
        except SnapshotError as error:
            log.warning("snapshot %s was not written: %s", pending[0], error)

    def give_up(self) -> None:
        """Let the reserved snapshot, if there is one, fail, and leave no comparison that this process must wait for."""
        self.comparisons.give_up()
        pending, self._pending = self._pending, None
        if pending is not None:
            self._fail(pending[0], SnapshotError("the exporter was stopped before the snapshot was taken"))
            self._end()

    def state(self, id: str) -> SnapshotProgress:
        """Return how far the snapshot ``id`` has come. Raises :class:`SnapshotNotFound` if nobody asked for it."""
        if id == self._running:
            return SnapshotProgress(id, "running")
        if id in self._failures:
            return SnapshotProgress(id, "failed", problem=self._failures[id])
        return SnapshotProgress(id, "written", info=self.store.get(id))

    def last_comparison(self) -> Comparison | None:
        """Return the comparison of the last two graphs that were taken, ``None`` before the second."""
        return self.comparisons.state(self._last_graph.id) if self._last_graph else None

    def _begin(self, *, is_bulk: bool) -> str:
        """Return the id of a snapshot that nobody else takes until :meth:`_end`."""
        try:
            self._turns.begin(is_bulk=is_bulk)
        except SnapshotError as error:
            self.count(error.outcome)
            raise
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        begun = f"{stamp}-{os.getpid()}-{next(_SUFFIXES) & 0xFFFF:04x}"
        self._running = begun
        return begun

    def _end(self) -> None:
        self._running = None
        self._turns.end()

    def _take(self, id: str, reason: str, since: SnapshotInfo | None = None) -> SnapshotInfo:
        try:
            info = self._write(id, reason)
        except Exception as error:
            failure = self._failure(id, error)
            self._fail(id, failure)
            if failure is error:
                raise
            raise failure from error
        finally:
            self._end()
        self.count("written" if info.content == "graph" else "census_only")
        if info.note:
            log.warning("snapshot %s holds %s", id, info.note)
        self.last = info
        if info.content == "graph":
            if (before := since or self._last_graph) is not None:
                self._pairs.begin(before, info, has_priority=since is not None)
            self._last_graph = info
        return info

    def _write(self, id: str, reason: str) -> SnapshotInfo:
        self._pairs.unpin_finished()
        store, walker = self.store, self._walker.name
        heap = preflight.read_heap(self._last_census())
        plan = preflight.plan(
            preflight.graph_need(heap, walker),
            preflight.census_need(heap, walker),
            preflight.read_free_resources(self._headroom(), store.prepare(), store.min_free_bytes, store.max_bytes),
            store.directory,
        )
        taken_at = self._clock()
        header = Header(
            content=plan.content,
            keys=self._keys,
            id=id,
            taken_at=taken_at,
            reason=_clean(reason),
            walker=walker,
            pid=os.getpid(),
            uptime_seconds=None if self._process_started_at is None else taken_at - self._process_started_at,
            python_version=platform.python_version(),
            implementation=sys.implementation.name,
            threads=names_by_ident(),
            predicted_bytes=plan.predicted_bytes,
            note=plan.note,
        )
        store.write(id, lambda file: self._fill(file, header))
        return store.get(id)

    def _fill(self, file: int, header: Header) -> None:
        out = BlockWriter(file)
        out.header(header)
        walk = self._walker.write_graph(out) if header.content == "graph" else self._write_census(out)
        out.footer(
            Footer(
                objects=walk.objects,
                references=walk.references,
                duration_seconds=walk.duration_seconds,
                pause_seconds=walk.pause_seconds,
                cpu_seconds=walk.cpu_seconds,
            )
        )

    def _write_census(self, out: BlockWriter) -> Walk:
        census = self._walker.census()
        write_census(out, census)
        return Walk(
            objects=census.objects,
            references=census.references or 0,
            duration_seconds=census.duration_seconds,
            pause_seconds=census.pause_seconds,
            cpu_seconds=census.cpu_seconds,
        )

    def _failure(self, id: str, error: Exception) -> SnapshotError:
        """Return what a snapshot failed of, as one of the errors that its callers know."""
        if isinstance(error, SnapshotError):
            return error
        if isinstance(error, MemoryError):
            return SnapshotNoMemory("the process ran out of memory while the snapshot was taken")
        if isinstance(error, WalkFailed) and error.cause == "no_memory":
            return SnapshotNoMemory(str(error))
        if isinstance(error, WalkFailed) and error.cause == "no_disk":
            return SnapshotNoDisk(self.store.directory, str(error))
        if isinstance(error, HeapExporterError):
            return (SnapshotCancelled if isinstance(error, WalkCancelled) else SnapshotError)(str(error))
        log.error("snapshot %s failed", id, exc_info=error)
        return SnapshotError(f"the snapshot failed: {type(error).__name__}: {error}; the log has the traceback")

    def _fail(self, id: str, error: SnapshotError) -> None:
        self.count(error.outcome)
        self._failures[id] = str(error)
        while len(self._failures) > FAILURES_KEPT:
            del self._failures[next(iter(self._failures))]


def _clean(reason: str) -> str:
    """Return the caller's words on one line, printable and short."""
    words = "".join(char if char.isprintable() else " " for char in reason[: 4 * REASON_CHARS])
    return " ".join(words.split())[:REASON_CHARS]
