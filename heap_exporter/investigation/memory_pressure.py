"""Secures evidence when the memory limit is near while the process grows: the last moment to see what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from heap_exporter.errors import SnapshotError
from heap_exporter.model import Detail, MemoryLimits, Point, SnapshotInfo
from heap_exporter.probes.limits import read_limits
from heap_exporter.probes.sources import Sources
from heap_exporter.runtime.logs import log
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.service import Snapshots

NEAR_LIMIT = "near the memory limit"
"""What a snapshot near the limit is known by to the budget."""

SOON_FULL = "the memory limit is soon reached"
"""What one is known by that is taken long before, because memory grows so fast: both have cooldowns of their own."""

CALM_PERCENT = 5.0
"""How far the use must fall below where it was noticed until it counts again."""

LOOK_BACK_POINTS = 5
MIN_GROWTH_PERCENT = 0.1
"""Growth over the last points, of the limit, that is no noise so near to it."""

FAST_PERCENT = 50.0
"""Use of the limit from which on fast growth is looked out for; what is loaded at the start may come as fast."""

SAMPLES_AHEAD = 2
"""How many samples must be to come at the present speed: the next one may come just too late."""


def used_percent(limits: MemoryLimits | None) -> float:
    """Return how much of its memory limit the process's cgroup uses, page cache not counted; 0 without a limit."""
    if limits is None or not limits.limit_bytes or limits.headroom_bytes is None:
        return 0.0
    return 100.0 * (1 - limits.headroom_bytes / limits.limit_bytes)


def watched(detail: Detail, sources: Sources) -> Detail:
    """Return the slow readings with the limits read anew if there are any: one may be reached between slow readings."""
    if detail.limits is None or not detail.limits.limit_bytes:
        return detail
    return replace(detail, limits=sources.read("limits", read_limits))


class NearLimit:
    """Notices once that ``percent`` of the limit are used and the process grows; anew after it was well below.

    What grows so fast that it would be killed before that is seen is noticed sooner.
    """

    def __init__(self, percent: float, snapshots: Snapshots, budget: Budget, *, wants_snapshots: bool) -> None:
        self._percent = percent
        self._snapshots = snapshots
        self._budget = budget
        self._wants_snapshots = wants_snapshots
        self._noticed_percent: float | None = None
        self._taken: list[SnapshotInfo] = []

    def is_reached(self, limits: MemoryLimits | None, points: Sequence[Point]) -> bool:
        """Return whether now is the moment. ``points`` are the newest, oldest first."""
        used, noticed = used_percent(limits), self._noticed_percent
        if noticed is not None and used < min(noticed, self._percent) - CALM_PERCENT:
            noticed = self._noticed_percent = None
            self._taken.clear()
        if limits is None or not limits.limit_bytes or (noticed is not None and noticed >= self._percent):
            return False
        is_near = used >= self._percent and _grows(points, limits.limit_bytes)
        if not is_near and (noticed is not None or not _is_soon_full(used, points, limits.limit_bytes)):
            return False
        self._noticed_percent = used
        log.warning("memory is at %.0f %% of its limit and grows%s", used, "" if is_near else " fast")
        return True

    @property
    def snapshots(self) -> tuple[SnapshotInfo, ...]:
        """Return what was taken on the way up, oldest first."""
        return tuple(self._taken)

    def secure(self) -> None:
        """Take a snapshot, if it is wanted and there is room for it."""
        if not self._wants_snapshots:
            return
        used = self._noticed_percent or 0.0
        if refusal := self._budget.request(NEAR_LIMIT if used >= self._percent else SOON_FULL):
            log.info("no snapshot near the memory limit: %s", refusal.reason)
            self._snapshots.count(refusal.outcome)
            return
        try:
            self._taken.append(self._snapshots.take(f"memory near its limit ({used:.0f} %), and growing"))
        except SnapshotError as error:
            log.warning("no snapshot near the memory limit: %s", error)


def _grows(points: Sequence[Point], limit_bytes: int) -> bool:
    recent = points[-LOOK_BACK_POINTS:]
    if len(recent) < 2:
        return False
    return recent[-1].growing_bytes - recent[0].growing_bytes >= MIN_GROWTH_PERCENT / 100 * limit_bytes


def _is_soon_full(used: float, points: Sequence[Point], limit_bytes: int) -> bool:
    """Return whether so few samples are to come, by the lesser of the last two gains: one alone may be a loading."""
    if used < FAST_PERCENT or len(points) < 3:
        return False
    before, middle, last = (point.growing_bytes for point in points[-3:])
    gain = min(last - middle, middle - before)
    return used + SAMPLES_AHEAD * 100 * gain / limit_bytes >= 100
