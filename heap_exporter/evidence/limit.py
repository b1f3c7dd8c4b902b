"""Secures evidence when the memory limit is near while the process grows: the last moment to see what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from heap_exporter.errors import SnapshotError
from heap_exporter.logs import log
from heap_exporter.model import Detail, Limits, Point
from heap_exporter.probes.limits import read_limits
from heap_exporter.probes.sources import Sources
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.take import Snapshots

NEAR_LIMIT = "near the memory limit"
"""What a snapshot near the limit is known by to the budget."""

CALM_PERCENT = 5.0
"""How far the use must fall below the mark until it counts again."""

LOOK_BACK_POINTS = 5
LEAST_GROWTH_PERCENT = 0.1
"""Growth over the last points, of the limit, that is no noise so near to it."""

WATCHED_PERCENT = 50.0
"""Use of the limit from which on it is read with each sample."""


def used_percent(limits: Limits | None) -> float:
    """Return how much of its memory limit the process's cgroup uses, page cache not counted; 0 without a limit."""
    if limits is None or not limits.limit_bytes or limits.headroom_bytes is None:
        return 0.0
    return 100.0 * (1 - limits.headroom_bytes / limits.limit_bytes)


def watched(detail: Detail, sources: Sources) -> Detail:
    """Return the slow readings with the limits read anew, if so much of the memory limit is used that they matter."""
    if used_percent(detail.limits) < WATCHED_PERCENT:
        return detail
    return replace(detail, limits=sources.read("limits", read_limits))


class NearLimit:
    """Notices once that ``percent`` of the limit are used and the process grows; anew after it was well below."""

    def __init__(self, percent: float, snapshots: Snapshots, budget: Budget, *, wants_snapshots: bool) -> None:
        self._percent = percent
        self._snapshots = snapshots
        self._budget = budget
        self._wants_snapshots = wants_snapshots
        self._is_over = False

    def is_reached(self, limits: Limits | None, points: Sequence[Point]) -> bool:
        """Return whether now is the moment. ``points`` are the newest, oldest first."""
        used = used_percent(limits)
        if used < self._percent - CALM_PERCENT:
            self._is_over = False
        if self._is_over or used < self._percent or limits is None or not _grows(points, limits.limit_bytes or 0):
            return False
        self._is_over = True
        log.warning("memory is at %.0f %% of its limit and grows", used)
        return True

    def secure(self) -> None:
        """Take a snapshot, if it is wanted and there is room for it."""
        if not self._wants_snapshots:
            return
        if refusal := self._budget.ask(NEAR_LIMIT):
            log.info("no snapshot near the memory limit: %s", refusal.reason)
            self._snapshots.count(refusal.outcome)
            return
        try:
            self._snapshots.take(f"memory near its limit ({self._percent:.0f} %), and growing")
        except SnapshotError as error:
            log.warning("no snapshot near the memory limit: %s", error)


def _grows(points: Sequence[Point], limit_bytes: int) -> bool:
    recent = points[-LOOK_BACK_POINTS:]
    if len(recent) < 2:
        return False
    return recent[-1].growing_bytes - recent[0].growing_bytes >= LEAST_GROWTH_PERCENT / 100 * limit_bytes
