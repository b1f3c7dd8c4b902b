"""How much each figure of some points rose, by its floors: what comes and goes in between does not count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from heap_exporter.model import Point

BUCKETS = 12
"""Parts of equal time that the points are cut into; the lowest value stands for each."""

Value = Callable[[Point], float | None]


class Rises:
    """The rise of each figure over points of one process, oldest first; ``None`` where it is not known at two times."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = points
        self._since = points[0].t_seconds if points else 0.0
        self._seconds = points[-1].t_seconds - self._since if points else 0.0
        self._known: dict[str, float | None] = {}

    def of(self, name: str) -> float | None:
        """Return the rise of a field of the points."""
        if name not in self._known:
            self._known[name] = self._rise(lambda point: getattr(point, name))
        return self._known[name]

    def resident(self) -> float | None:
        """Return the rise of all memory, in RAM and swapped out."""
        return self._rise(lambda point: point.rss_bytes + (point.swap_bytes or 0))

    def private(self) -> float | None:
        """Return the rise of anonymous memory, in RAM and swapped out."""
        return self._rise(
            lambda point: None if point.anonymous_bytes is None else point.anonymous_bytes + (point.swap_bytes or 0)
        )

    def held(self, allocator: str) -> float | None:
        """Return the rise of what ``malloc`` or ``pymalloc`` has from the kernel, used or not."""
        if allocator not in self._known:
            self._known[allocator] = self._rise(lambda point: _held(point, allocator))
        return self._known[allocator]

    def ends(self, allocator: str, name: str) -> list[tuple[float, float]]:
        """Return what the allocator has, and a field, of the first and of the last point that has both."""
        known = [
            (held, value)
            for point in self._points
            if (held := _held(point, allocator)) is not None and (value := getattr(point, name)) is not None
        ]
        return [known[0], known[-1]] if known else []

    def first(self, name: str) -> float | None:
        """Return the first known value of a field."""
        return next((value for point in self._points if (value := getattr(point, name)) is not None), None)

    def last(self, name: str) -> float | None:
        """Return the last known value of a field."""
        backwards = reversed(self._points)
        return next((value for point in backwards if (value := getattr(point, name)) is not None), None)

    def gained(self, name: str) -> float | None:
        """Return by how much a field that only counts up rose."""
        first, last = self.first(name), self.last(name)
        return None if first is None or last is None else last - first

    def bursts_bytes(self, block_bytes: int) -> float:
        """Return how far the bytes of Python's heap, or its blocks of that size, stand above their floors at most."""
        heights = [
            self._height(lambda point: point.heap_bytes),
            self._height(lambda point: point.allocated_blocks) * block_bytes,
        ]
        return max(heights)

    def _series(self, value: Value) -> list[tuple[float, float]]:
        return [(point.t_seconds, found) for point in self._points if (found := value(point)) is not None]

    def _height(self, value: Value) -> float:
        values = [found for _, found in self._series(value)]
        return max(values) - values[-1] if values else 0.0

    def _rise(self, value: Value) -> float | None:
        """Return how far the last third of the floors lies above the first, drawn out to the time of all points."""
        floors = self._floors(self._series(value))
        if len(floors) < 2:
            return None
        third = max(len(floors) // 3, 1)
        (began, low), (ended, high) = _middle(floors[:third]), _middle(floors[-third:])
        return (high - low) / (ended - began) * self._seconds

    def _floors(self, series: list[tuple[float, float]]) -> list[tuple[float, float]]:
        width = self._seconds / BUCKETS
        lowest: dict[int, tuple[float, float]] = {}
        for at, value in series:
            bucket = min(int((at - self._since) / width), BUCKETS - 1) if width else 0
            if bucket not in lowest or value < lowest[bucket][1]:
                lowest[bucket] = (at, value)
        return [lowest[bucket] for bucket in sorted(lowest)]


def _held(point: Point, allocator: str) -> float | None:
    used, retained = getattr(point, f"{allocator}_used_bytes"), getattr(point, f"{allocator}_retained_bytes")
    return None if used is None or retained is None else float(used + retained)


def _middle(floors: list[tuple[float, float]]) -> tuple[float, float]:
    return median(at for at, _ in floors), median(value for _, value in floors)
