"""Keeps the state of snapshot requests: which one runs, which failed and why, and the count of each outcome."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

from heap_exporter.errors import SnapshotError
from heap_exporter.model import SnapshotInfo
from heap_exporter.snapshot.store import Store

OUTCOMES = ("written", "census_only", "busy", "failed", "no_memory", "no_disk", "cooldown", "over_budget")
"""The outcomes of a requested snapshot; for ``census_only`` the memory or disk did not suffice for a graph.

The last two are refusals of automatic snapshots by :class:`~heap_exporter.snapshot.budget.Budget`.
"""

MAX_FAILURES = 64


@dataclass(frozen=True, slots=True)
class SnapshotProgress:
    """The state of a requested snapshot; ``info`` once written, ``problem`` once failed."""

    id: str
    state: Literal["running", "failed", "written"]
    info: SnapshotInfo | None = None
    problem: str = ""


class SnapshotRequests:
    """The requests of snapshots in ``store``, one at a time. ``outcomes`` counts them, by :data:`OUTCOMES`."""

    def __init__(self, store: Store) -> None:
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self._store = store
        self._counting = threading.Lock()
        self._running: str | None = None
        self._failures: dict[str, str] = {}

    def begin(self, id: str) -> None:
        """Note that the snapshot ``id`` is requested."""
        self._running = id

    def fail(self, id: str, error: SnapshotError) -> None:
        """Note why there is no snapshot ``id``."""
        self.count(error.outcome)
        self._failures[id] = str(error)
        while len(self._failures) > MAX_FAILURES:
            del self._failures[next(iter(self._failures))]

    def end(self) -> None:
        """Note that the requested snapshot is written, or has failed."""
        self._running = None

    def count(self, outcome: str) -> None:
        """Count the outcome of a request, one of :data:`OUTCOMES`."""
        with self._counting:
            self.outcomes[outcome] += 1

    def state(self, id: str) -> SnapshotProgress:
        """Return the state of the requested snapshot ``id``. Raises :class:`SnapshotNotFound` for an unknown id."""
        if id == self._running:
            return SnapshotProgress(id, "running")
        if id in self._failures:
            return SnapshotProgress(id, "failed", problem=self._failures[id])
        return SnapshotProgress(id, "written", info=self._store.get(id))
