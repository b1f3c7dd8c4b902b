"""Takes a snapshot when the memory limit is near while the process grows: the last one before the kernel kills it."""

from __future__ import annotations

from collections.abc import Sequence

from heap_exporter.errors import SnapshotError
from heap_exporter.model import MemoryLimits, Point, SnapshotInfo
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.logs import log
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.service import Snapshots

NEAR_LIMIT = "near-memory-limit"
"""The fingerprint of a snapshot near the limit, for its cooldown."""

SOON_FULL = "memory-limit-soon"
"""The fingerprint of a snapshot taken long before, because memory grows fast: it has a cooldown of its own."""

CALM_PERCENT = 5.0
"""How far the use must fall below the point where it was noticed before it is noticed again."""

LOOK_BACK_POINTS = 5
MIN_GROWTH_PERCENT = 0.1
"""Growth over the last points, in percent of the limit, below which it is noise."""

FAST_PERCENT = 50.0
"""Use of the limit below which fast growth is ignored: a program that loads its data grows as fast."""

SAMPLES_AHEAD = 2
"""How many more samples fit below the limit at the present speed: the next one may come too late."""


def used_percent(limits: MemoryLimits | None) -> float:
    """Return the percentage of its memory limit that the cgroup uses, without page cache, to investigate in time."""
    if limits is None or not limits.limit_bytes or limits.headroom_bytes is None:
        return 0.0
    return 100.0 * (1 - limits.headroom_bytes / limits.limit_bytes)


class MemoryPressure:
    """Notices that ``percent`` of the limit are used while the process grows; again only after the use was well below.

    A process that grows so fast that the kernel would kill it before that is noticed sooner.
    """

    def __init__(self, percent: float, snapshots: Snapshots, budget: Budget, *, wants_snapshots: bool) -> None:
        self._percent = percent
        self._snapshots = snapshots
        self._budget = budget
        self._wants_snapshots = wants_snapshots
        self._noticed_percent: float | None = None
        self._is_snapshot_due = False
        self._taken: list[SnapshotInfo] = []

    def notice(self, limits: MemoryLimits | None, points: Sequence[Point]) -> bool:
        """Return whether the memory limit has come near just now, so that a snapshot of the growth is due."""
        self._is_snapshot_due = self._has_come_near(limits, points)
        return self._is_snapshot_due

    def _has_come_near(self, limits: MemoryLimits | None, points: Sequence[Point]) -> bool:
        """Return whether the memory limit has come near to the growing process, which is noticed once."""
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
        log.warning("memory use is at %.0f%% of the cgroup's limit and is growing%s", used, "" if is_near else " fast")
        return True

    @property
    def snapshots(self) -> tuple[SnapshotInfo, ...]:
        """Return the snapshots taken on the way to the limit, oldest first."""
        return tuple(self._taken)

    def take_due(self) -> None:
        """Take a snapshot if the memory limit has just come near and automatic snapshots are on; log a failure."""
        is_due, self._is_snapshot_due = self._is_snapshot_due, False
        if not is_due or not self._wants_snapshots:
            return
        used = self._noticed_percent or 0.0
        if refusal := self._budget.request(NEAR_LIMIT if used >= self._percent else SOON_FULL):
            log.info("no snapshot is taken although memory use is near the limit: %s", refusal.reason)
            self._snapshots.count(refusal.outcome)
            return
        with late_imports():
            from heap_exporter.report import snapshot_reason_text

        try:
            self._taken.append(self._snapshots.take(snapshot_reason_text.near_limit(used)))
        except SnapshotError as error:
            log.warning("no snapshot could be taken, although memory use is near the limit: %s", error)


def _grows(points: Sequence[Point], limit_bytes: int) -> bool:
    """Return whether the process under pressure grew over the last points, by more than noise."""
    recent = points[-LOOK_BACK_POINTS:]
    if len(recent) < 2:
        return False
    return recent[-1].growing_bytes - recent[0].growing_bytes >= MIN_GROWTH_PERCENT / 100 * limit_bytes


def _is_soon_full(used: float, points: Sequence[Point], limit_bytes: int) -> bool:
    """Return whether few samples are left, by the smaller of the last two gains: a single one may be data loaded."""
    if used < FAST_PERCENT or len(points) < 3:
        return False
    before, middle, last = (point.growing_bytes for point in points[-3:])
    gain = min(last - middle, middle - before)
    return used + SAMPLES_AHEAD * 100 * gain / limit_bytes >= 100
