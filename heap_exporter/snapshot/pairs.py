"""Keeps the two snapshots of a comparison in the folder until they have been compared."""

from __future__ import annotations

from itertools import chain

from heap_exporter.model import SnapshotInfo
from heap_exporter.snapshot.comparison import Comparisons
from heap_exporter.snapshot.retention import RetentionPins

PURPOSE = "comparison"
LONGEST_SECONDS = 900.0
"""How long a pair is held at most: a process that is killed meanwhile lets nobody go."""


class Pairs:
    """Has pairs of snapshots compared by ``comparisons``, and holds them meanwhile."""

    def __init__(self, comparisons: Comparisons, pins: RetentionPins) -> None:
        self._comparisons = comparisons
        self._pins = pins
        self._held: list[tuple[str, str]] = []

    def begin(self, before: SnapshotInfo, after: SnapshotInfo, *, has_priority: bool = False) -> None:
        """Have two snapshots compared. Raises nothing."""
        self._comparisons.begin(before, after, has_priority=has_priority)
        if self._is_running(after.id):
            self._held.append((before.id, after.id))
            for compared in (before.id, after.id):
                self._pins.pin(compared, PURPOSE, LONGEST_SECONDS)

    def unpin_finished(self) -> bool:
        """Let those go that are no longer being compared. Return whether there were any; raises nothing."""
        before, self._held = self._held, [pair for pair in self._held if self._is_running(pair[1])]
        for ended in set(chain(*before)) - set(chain(*self._held)):
            self._pins.unpin(ended, PURPOSE)
        return len(self._held) < len(before)

    def _is_running(self, after_id: str) -> bool:
        comparison = self._comparisons.state(after_id)
        return comparison is not None and comparison.state == "running"
