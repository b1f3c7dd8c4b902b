"""Takes snapshots: one at a time in a folder, each compared with the one before."""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from heap_exporter.errors import SnapshotError
from heap_exporter.model import AllocationProfile, Census, LostMemory, SnapshotInfo
from heap_exporter.runtime.formatting import stamp
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.service_name import service_name
from heap_exporter.snapshot import retention
from heap_exporter.snapshot.comparison import Comparison, Comparisons
from heap_exporter.snapshot.pairs import ComparedPairs
from heap_exporter.snapshot.snapshot_requests import SnapshotProgress, SnapshotRequests
from heap_exporter.snapshot.snapshot_writer import SnapshotWriter
from heap_exporter.snapshot.store import Store
from heap_exporter.snapshot.turns import Turns
from heap_exporter.walker import Walker

RETRY_SECONDS = 5
"""When to retry while a snapshot is being taken and the duration of none is known."""

_SUFFIXES = itertools.count(int.from_bytes(os.urandom(2)))
"""The last part of ids: ids of one process always differ, those of containers that share a folder very likely."""


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
        service: str = "",
        allocations: Callable[[], AllocationProfile | None] = lambda: None,
        lost: Callable[[], LostMemory | None] = lambda: None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.service = service or service_name()
        self.comparisons = Comparisons(headroom, store, is_enabled=compare)
        self.last: SnapshotInfo | None = None
        self._pairs = ComparedPairs(self.comparisons, store.pins)
        self._requests = SnapshotRequests(store)
        self._writer = SnapshotWriter(
            walker,
            store,
            headroom,
            clock=clock,
            last_census=last_census,
            keys=keys,
            process_started_at=process_started_at,
            service=self.service,
            allocations=allocations,
            lost=lost,
        )
        self._clock = clock
        self._wake = wake
        self._turns = Turns(store)
        self._last_graph: SnapshotInfo | None = None
        self._pending: tuple[str, str] | None = None

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

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Return how many requests had which outcome."""
        return self._requests.outcomes

    def count(self, outcome: str) -> None:
        """Count the outcome of a snapshot that was refused before it was requested."""
        self._requests.count(outcome)

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
            self._requests.fail(pending[0], SnapshotError("the exporter was stopped before the snapshot was taken"))
            self._end()

    def state(self, id: str) -> SnapshotProgress:
        """Return the state of the requested snapshot ``id``. Raises :class:`SnapshotNotFound` for an unknown id."""
        return self._requests.state(id)

    def last_comparison(self) -> Comparison | None:
        """Return the comparison of the last two graphs that were taken, ``None`` before the second."""
        return self.comparisons.state(self._last_graph.id) if self._last_graph else None

    def _begin(self, *, limit_bursts: bool) -> str:
        """Take the turn in the snapshot folder until :meth:`_end`, and return the id of a new snapshot."""
        try:
            self._turns.begin(limit_bursts=limit_bursts)
        except SnapshotError as error:
            self._requests.count(error.outcome)
            raise
        begun = f"{stamp(self._clock())}-{os.getpid()}-{next(_SUFFIXES) & 0xFFFF:04x}"
        self._requests.begin(begun)
        return begun

    def _end(self) -> None:
        self._requests.end()
        self._turns.end()

    def _take(self, id: str, reason: str, since: SnapshotInfo | None = None) -> SnapshotInfo:
        self._pairs.unpin_finished()
        try:
            info = self._writer.write(id, reason)
            self._remember(info, since)  # before the turn ends: the next snapshot is compared with this one
        except SnapshotError as error:
            self._requests.fail(id, error)
            raise
        finally:
            self._end()
        self._requests.count("written" if info.content == "graph" else "census_only")
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
