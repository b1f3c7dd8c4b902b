"""What a growth consists of: the slope of each kind of memory, and the cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heap_exporter.detection.attribution import attribute
from heap_exporter.detection.trend import floors, theil_sen
from heap_exporter.model import Cause, MemoryKind, MemoryTrend, Point

FIELDS = {
    MemoryKind.PYTHON: "heap_bytes",
    MemoryKind.NATIVE: "malloc_used_bytes",
    MemoryKind.FRAGMENTATION: "malloc_retained_bytes",
}
MIN_POINTS = 4


class Explanation(NamedTuple):
    """The cause, the reasons for it, and the slopes of the kinds of memory that are known."""

    cause: Cause | None
    reasons: tuple[str, ...]
    trends: tuple[MemoryTrend, ...]


def explain(points: Sequence[Point], *, with_cause: bool) -> Explanation:
    """Return what the points of a growth, oldest first, consist of."""
    trends = tuple(trend for kind, field in FIELDS.items() if (trend := _trend(points, kind, field)) is not None)
    if not with_cause or len(points) < MIN_POINTS:
        return Explanation(None, (), trends)
    found = attribute(points)
    return Explanation(found.cause, found.reasons, trends)


def _trend(points: Sequence[Point], kind: MemoryKind, field: str) -> MemoryTrend | None:
    series = [(point.t_seconds, float(value)) for point in points if (value := getattr(point, field)) is not None]
    if len(series) < MIN_POINTS:
        return None
    return MemoryTrend(kind, theil_sen(floors(series, series[0][0], series[-1][0])))
