"""Writes one snapshot: a graph or a census, as free memory and disk allow."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from heap_exporter.allocations import growth_by_line
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
from heap_exporter.heapfile.recorded_allocations import MAX_LINES, allocations_member
from heap_exporter.heapfile.recorded_lost import lost_member
from heap_exporter.model import AllocationProfile, Census, LostMemory, SnapshotInfo, Walk
from heap_exporter.model.resource_shortage import ResourceShortage
from heap_exporter.probes.used_memory import read_used_memory
from heap_exporter.report.shortage_text import census_note, shortage_text
from heap_exporter.runtime.interpreter import python_version
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import thread_names_by_ident
from heap_exporter.snapshot import preflight
from heap_exporter.snapshot.preflight import SnapshotPlan
from heap_exporter.snapshot.store import Store
from heap_exporter.walker import Walker

MAX_REASON_CHARS = 200


class SnapshotWriter:
    """Writes snapshots with ``walker`` into ``store``. The arguments are those of ``Snapshots`` (service.py)."""

    def __init__(
        self,
        walker: Walker,
        store: Store,
        headroom: Callable[[], int | None],
        *,
        clock: Callable[[], float],
        last_census: Callable[[], Census | None],
        keys: bool,
        process_started_at: float | None,
        service: str,
        allocations: Callable[[], AllocationProfile | None],
        lost: Callable[[], LostMemory | None],
    ) -> None:
        self._walker = walker
        self._store = store
        self._headroom = headroom
        self._clock = clock
        self._last_census = last_census
        self._keys = keys
        self._process_started_at = process_started_at
        self._service = service
        self._allocations = allocations
        self._lost = lost

    def write(self, id: str, reason: str) -> SnapshotInfo:
        """Write a snapshot and return it. Raises a :class:`SnapshotError` with the reason if there is none."""
        try:
            return self._write(id, reason)
        except Exception as error:
            failure = self._failure(id, error)
            if failure is error:
                raise
            raise failure from error

    def _write(self, id: str, reason: str) -> SnapshotInfo:
        store = self._store
        header = self._header(id, reason, self._plan())
        store.write(id, lambda file: self._fill(file, header))
        try:
            return store.get(id)
        except SnapshotNotFound as error:
            raise SnapshotError(
                f"another program removed the snapshot from the folder {store.directory} as soon as it was written; "
                "exclude the folder from that program, or set HEAP_EXPORTER_SNAPSHOT_DIR to another folder"
            ) from error

    def _plan(self) -> SnapshotPlan:
        store, walker = self._store, self._walker.name
        heap = preflight.estimate_heap_size(self._last_census())
        plan = preflight.plan_snapshot(
            preflight.graph_need(heap, walker),
            preflight.census_need(heap, walker),
            preflight.read_free_resources(self._headroom(), store.prepare(), store.min_free_bytes, store.max_bytes),
        )
        if isinstance(plan, ResourceShortage):
            problem = shortage_text(plan)
            is_memory = plan.resource.is_memory
            raise SnapshotNoMemory(problem) if is_memory else SnapshotNoDisk(store.directory, problem)
        return plan

    def _header(self, id: str, reason: str, plan: SnapshotPlan) -> Header:
        lost = self._lost() if plan.content == "graph" else None
        taken_at, used = self._clock(), read_used_memory()
        return Header(
            content=plan.content,
            keys=self._keys,
            id=id,
            taken_at=taken_at,
            reason=_one_line(reason),
            walker=self._walker.name,
            pid=os.getpid(),
            uptime_seconds=None if self._process_started_at is None else taken_at - self._process_started_at,
            python_version=python_version(),
            implementation=sys.implementation.name,
            threads=thread_names_by_ident(),
            predicted_bytes=plan.predicted_bytes,
            note=census_note(plan.shortage),
            private_bytes=used.private_bytes,
            allocated_bytes=used.allocated_bytes,
            service=self._service,
            allocations=self._allocated(),
            lost=None if lost is None else lost_member(lost),
        )

    def _allocated(self) -> dict[str, Any] | None:
        """Return the lines that have allocated for the header, ``None`` while allocations are not sampled."""
        profile = self._allocations()
        if profile is None:
            return None
        return allocations_member(profile.started_at, growth_by_line(profile, limit=MAX_LINES))

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
            return SnapshotNoDisk(self._store.directory, str(error))
        if isinstance(error, HeapExporterError):
            return (SnapshotCancelled if isinstance(error, WalkCancelled) else SnapshotError)(str(error))
        log.error("snapshot %s failed", id, exc_info=error)
        return SnapshotError(f"the snapshot failed: {type(error).__name__}: {error}; see the log for the traceback")


def _one_line(reason: str) -> str:
    """Return the caller's reason for a snapshot on one line, printable and short."""
    words = "".join(char if char.isprintable() else " " for char in reason[: 4 * MAX_REASON_CHARS])
    return " ".join(words.split())[:MAX_REASON_CHARS]
