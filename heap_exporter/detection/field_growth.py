"""How much each field of some points grew, measured between its lows: short peaks do not count."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from heap_exporter.detection.trend import bucket_minima, median
from heap_exporter.model import Point

BUCKETS = 12
"""Parts of equal time that the points are cut into; the lowest value stands for each."""

Value = Callable[[Point], float | None]


class FieldGrowth:
    """The growth of each field over points of one process, oldest first; ``None`` if it is known in one point only."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = points
        self._began = points[0].t_seconds if points else 0.0
        self._ended = points[-1].t_seconds if points else 0.0
        self._known: dict[str, float | None] = {}

    def of(self, name: str) -> float | None:
        """Return by how much a field of the points grew."""
        if name not in self._known:
            self._known[name] = self._growth(lambda point: getattr(point, name))
        return self._known[name]

    def resident(self) -> float | None:
        """Return the growth of all memory, in RAM and swapped out, in bytes."""
        return self._growth(lambda point: point.rss_bytes + (point.swap_bytes or 0))

    def private(self) -> float | None:
        """Return the growth of anonymous memory, in RAM and swapped out, in bytes."""
        return self._growth(
            lambda point: None if point.anonymous_bytes is None else point.anonymous_bytes + (point.swap_bytes or 0)
        )

    def of_allocator(self, allocator: str) -> float | None:
        """Return the growth of what ``malloc`` or ``pymalloc`` has from the kernel, used or free, in bytes."""
        if allocator not in self._known:
            self._known[allocator] = self._growth(lambda point: _allocator_bytes(point, allocator))
        return self._known[allocator]

    def ends(self, allocator: str, name: str) -> list[tuple[float, float]]:
        """Return the bytes of the allocator and a field, at the first and the last judged point that has both."""
        known = [
            (held, value)
            for point in self._points
            if (held := _allocator_bytes(point, allocator)) is not None and (value := getattr(point, name)) is not None
        ]
        return [known[0], known[-1]] if known else []

    def first(self, name: str) -> float | None:
        """Return the first known value of a field of the judged points."""
        return next((value for point in self._points if (value := getattr(point, name)) is not None), None)

    def last(self, name: str) -> float | None:
        """Return the last known value of a field of the judged points."""
        backwards = reversed(self._points)
        return next((value for point in backwards if (value := getattr(point, name)) is not None), None)

    def counted(self, name: str) -> float | None:
        """Return the growth of a field that only counts up: the last value minus the first."""
        first, last = self.first(name), self.last(name)
        return None if first is None or last is None else last - first

    def peak_above_last_bytes(self, block_bytes: int) -> float:
        """Return by how much the Python heap, or its blocks at ``block_bytes`` each, shrank after its growth."""
        peaks = [
            self._peak_above_last(lambda point: point.heap_bytes),
            self._peak_above_last(lambda point: point.allocated_blocks) * block_bytes,
        ]
        return max(peaks)

    def _series(self, value: Value) -> list[tuple[float, float]]:
        return [(point.t_seconds, found) for point in self._points if (found := value(point)) is not None]

    def _peak_above_last(self, value: Value) -> float:
        values = [found for _, found in self._series(value)]
        return max(values) - values[-1] if values else 0.0

    def _growth(self, value: Value) -> float | None:
        """Return by how much the last third of the lows is above the first, extrapolated to the time of all points."""
        lows = bucket_minima(self._series(value), self._began, self._ended, BUCKETS)
        if len(lows) < 2:
            return None
        third = max(len(lows) // 3, 1)
        (began, low), (ended, high) = _middle(lows[:third]), _middle(lows[-third:])
        return (high - low) / (ended - began) * (self._ended - self._began)


def _allocator_bytes(point: Point, allocator: str) -> float | None:
    used, retained = getattr(point, f"{allocator}_used_bytes"), getattr(point, f"{allocator}_retained_bytes")
    return None if used is None or retained is None else float(used + retained)


def _middle(lows: list[tuple[float, float]]) -> tuple[float, float]:
    return median(at for at, _ in lows), median(value for _, value in lows)
