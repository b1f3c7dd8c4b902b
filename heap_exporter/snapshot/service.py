"""Takes snapshots: one at a time in a folder, and only where free memory and disk suffice."""

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
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from heap_exporter.errors import (
    HeapExporterError,
    SnapshotCancelled,
    SnapshotError,
    SnapshotNoDisk,
    SnapshotNoMemory,
    SnapshotNotFound,
    WalkCancelled,
    WalkFailed,
)
from heap_exporter.heapfile.encoder import write_census
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.model import Census, SnapshotInfo, Walk
from heap_exporter.probes.used_memory import read_used_memory
from heap_exporter.runtime.formatting import stamp
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import thread_names_by_ident
from heap_exporter.snapshot import preflight, retention
from heap_exporter.snapshot.comparison import Comparison, Comparisons
from heap_exporter.snapshot.pairs import ComparedPairs
from heap_exporter.snapshot.store import Store
from heap_exporter.snapshot.turns import Turns
from heap_exporter.walker import Walker

OUTCOMES = ("written", "census_only", "busy", "failed", "no_memory", "no_disk", "cooldown", "over_budget")
"""The outcomes of a requested snapshot; for ``census_only`` the memory or disk did not suffice for a graph.

The last two are refusals of automatic snapshots by :class:`~heap_exporter.snapshot.budget.Budget`.
"""

RETRY_SECONDS = 5
"""When to retry while a snapshot is being taken and the duration of none is known."""

MAX_REASON_CHARS = 200
MAX_FAILURES = 64

_SUFFIXES = itertools.count(secrets.randbits(16))
"""The last part of ids: ids of one process always differ, those of containers that share a folder very likely."""


@dataclass(frozen=True, slots=True)
class SnapshotProgress:
    """The state of a requested snapshot; ``info`` once written, ``problem`` once failed."""

    id: str
    state: Literal["running", "failed", "written"]
    info: SnapshotInfo | None = None
    problem: str = ""


class Snapshots:
    """Takes snapshots with ``walker`` into ``store``.

    ``headroom()`` returns the bytes of memory that are left, or None where that is unknown. ``last_census()`` returns
    the last census, or None before the first. ``keys``: whether the walker writes the keys of plain dicts. ``compare``:
    whether a graph is compared with the one before. ``wake()`` is called when :meth:`take_pending` has a snapshot to
    take or a count has changed. This class starts no thread.

    All processes that share the folder take one snapshot at a time, under a lock in the folder.
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
        compare: bool = False,
        process_started_at: float | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.comparisons = Comparisons(headroom, store, is_enabled=compare)
        self._pairs = ComparedPairs(self.comparisons, store.pins)
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

    def take(self, reason: str, *, since: SnapshotInfo | None = None, limit_bursts: bool = False) -> SnapshotInfo:
        """Take a snapshot now, on this thread. Raises a :class:`SnapshotError` with the reason if there is none.

        It is compared with ``since``, or without that with the one before. With ``limit_bursts`` it is refused for some
        seconds after a burst of requests.
        """
        try:
            return self._take(self._begin(limit_bursts=limit_bursts), reason, since)
        finally:
            self._wake()

    def reserve(self, reason: str) -> str:
        """Return the id of a snapshot that :meth:`take_pending` will take; bursts of requests are limited.

        Raises :class:`SnapshotBusy`, or :class:`SnapshotNoDisk` where the folder cannot be written to.
        """
        reserved = self._begin(limit_bursts=True)
        self._pending = (reserved, reason)
        self._wake()
        return reserved

    def poll(self) -> None:
        """Note the end of a comparison of snapshots; its report counts toward the quota. Raises nothing."""
        self.comparisons.poll()
        if self._pairs.unpin_finished() and self.last is not None:
            self.store.retain(newest=self.last.id)

    def clean_up(self) -> None:
        """Remove from the snapshot folder what killed processes have left. Raises nothing."""
        with suppress(OSError):  # there is no folder yet, or it cannot be used
            retention.remove_stale_locks(self.store.directory)
            with self._turns.free_turn() as is_alone, self.store.open() as folder:
                retention.remove_leftovers(folder, is_alone=is_alone)

    @property
    def retry_seconds(self) -> int:
        """Return after how many seconds a snapshot that was refused for another snapshot may be requested again."""
        wait = self.last.duration_seconds if self.last else RETRY_SECONDS
        return max(1, math.ceil(max(wait, self._turns.burst_wait_seconds())))

    def count(self, outcome: str) -> None:
        """Count the outcome of a snapshot, one of :data:`OUTCOMES`."""
        with self._counting:
            self.outcomes[outcome] += 1

    def take_pending(self) -> None:
        """Take the reserved snapshot, if there is one. Raises nothing: :meth:`state` has the result."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            self._take(*pending)
        except SnapshotError as error:
            log.warning("snapshot %s was not written: %s", pending[0], error)

    def give_up(self) -> None:
        """Cancel the reserved snapshot and the waiting comparison; leave no subprocess to wait for."""
        self.comparisons.give_up()
        pending, self._pending = self._pending, None
        if pending is not None:
            self._fail(pending[0], SnapshotError("the exporter was stopped before the snapshot was taken"))
            self._end()

    def state(self, id: str) -> SnapshotProgress:
        """Return the state of the requested snapshot ``id``. Raises :class:`SnapshotNotFound` for an unknown id."""
        if id == self._running:
            return SnapshotProgress(id, "running")
        if id in self._failures:
            return SnapshotProgress(id, "failed", problem=self._failures[id])
        return SnapshotProgress(id, "written", info=self.store.get(id))

    def last_comparison(self) -> Comparison | None:
        """Return the comparison of the last two graphs that were taken, ``None`` before the second."""
        return self.comparisons.state(self._last_graph.id) if self._last_graph else None

    def _begin(self, *, limit_bursts: bool) -> str:
        """Take the turn in the snapshot folder until :meth:`_end`, and return the id of a new snapshot."""
        try:
            self._turns.begin(limit_bursts=limit_bursts)
        except SnapshotError as error:
            self.count(error.outcome)
            raise
        begun = f"{stamp(self._clock())}-{os.getpid()}-{next(_SUFFIXES) & 0xFFFF:04x}"
        self._running = begun
        return begun

    def _end(self) -> None:
        self._running = None
        self._turns.end()

    def _take(self, id: str, reason: str, since: SnapshotInfo | None = None) -> SnapshotInfo:
        try:
            info = self._write(id, reason)
            self._remember(info, since)  # before the turn ends: the next snapshot is compared with this one
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
            log.warning("snapshot %s: %s", id, info.note)
        return info

    def _remember(self, info: SnapshotInfo, since: SnapshotInfo | None) -> None:
        """Make a snapshot the last one, and begin its comparison with the one before."""
        self.last = info
        if info.content == "graph":
            if (before := since or self._last_graph) is not None:
                self._pairs.begin(before, info, has_priority=since is not None)
            self._last_graph = info

    def _write(self, id: str, reason: str) -> SnapshotInfo:
        self._pairs.unpin_finished()
        store, walker = self.store, self._walker.name
        heap = preflight.estimate_heap_size(self._last_census())
        plan = preflight.plan_snapshot(
            preflight.graph_need(heap, walker),
            preflight.census_need(heap, walker),
            preflight.read_free_resources(self._headroom(), store.prepare(), store.min_free_bytes, store.max_bytes),
            store.directory,
        )
        taken_at, used = self._clock(), read_used_memory()
        header = Header(
            content=plan.content,
            keys=self._keys,
            id=id,
            taken_at=taken_at,
            reason=_one_line(reason),
            walker=walker,
            pid=os.getpid(),
            uptime_seconds=None if self._process_started_at is None else taken_at - self._process_started_at,
            python_version=platform.python_version(),
            implementation=sys.implementation.name,
            threads=thread_names_by_ident(),
            predicted_bytes=plan.predicted_bytes,
            note=plan.note,
            private_bytes=used.private_bytes,
            allocated_bytes=used.allocated_bytes,
        )
        store.write(id, lambda file: self._fill(file, header))
        try:
            return store.get(id)
        except SnapshotNotFound as error:
            raise SnapshotError(
                f"another program removed the snapshot from the folder {store.directory} as soon as it was written; "
                "exclude the folder from that program, or set HEAP_EXPORTER_SNAPSHOT_DIR to another folder"
            ) from error

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
        """Return the error of a failed snapshot as a :class:`SnapshotError`."""
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
        return SnapshotError(f"the snapshot failed: {type(error).__name__}: {error}; see the log for the traceback")

    def _fail(self, id: str, error: SnapshotError) -> None:
        self.count(error.outcome)
        self._failures[id] = str(error)
        while len(self._failures) > MAX_FAILURES:
            del self._failures[next(iter(self._failures))]


def _one_line(reason: str) -> str:
    """Return the caller's reason for a snapshot on one line, printable and short."""
    words = "".join(char if char.isprintable() else " " for char in reason[: 4 * MAX_REASON_CHARS])
    return " ".join(words.split())[:MAX_REASON_CHARS]
