"""Pins the two snapshots of a comparison until they have been compared."""

from __future__ import annotations

from itertools import chain

from heap_exporter.model import SnapshotInfo
from heap_exporter.snapshot.comparison import Comparisons
from heap_exporter.snapshot.retention import RetentionPins

PURPOSE = "comparison"
MAX_PIN_SECONDS = 900.0
"""How long a pair is pinned at most: a process that is killed unpins nothing."""


class ComparedPairs:
    """Starts ``comparisons`` of pairs of snapshots, and pins them meanwhile."""

    def __init__(self, comparisons: Comparisons, pins: RetentionPins) -> None:
        self._comparisons = comparisons
        self._pins = pins
        self._pinned: list[tuple[str, str]] = []

    def begin(self, before: SnapshotInfo, after: SnapshotInfo, *, has_priority: bool = False) -> None:
        """Queue a comparison of two snapshots, and pin both in the snapshot folder. Raises nothing."""
        self._comparisons.begin(before, after, has_priority=has_priority)
        if self._is_running(after.id):
            self._pinned.append((before.id, after.id))
            for compared in (before.id, after.id):
                self._pins.pin(compared, PURPOSE, MAX_PIN_SECONDS)

    def unpin_finished(self) -> bool:
        """Unpin the snapshots whose comparison has ended. Return whether there were any; raises nothing."""
        before, self._pinned = self._pinned, [pair for pair in self._pinned if self._is_running(pair[1])]
        for ended in set(chain(*before)) - set(chain(*self._pinned)):
            self._pins.unpin(ended, PURPOSE)
        return len(self._pinned) < len(before)

    def _is_running(self, after_id: str) -> bool:
        comparison = self._comparisons.state(after_id)
        return comparison is not None and comparison.state == "running"
