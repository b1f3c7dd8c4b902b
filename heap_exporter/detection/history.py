"""The bounded memory of what was read: figures to judge, and points to draw."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from heap_exporter.model import Kind, Reading


class HistoryPoint(NamedTuple):
    """The figures of one reading that trends are made of; ``None`` where unknown."""

    taken_at: float
    resident_bytes: int | None
    growing_bytes: int | None
    heap_bytes: int | None
    malloc_used_bytes: int | None
    malloc_retained_bytes: int | None


_FIELDS = {
    Kind.TOTAL: "growing_bytes",
    Kind.PYTHON: "heap_bytes",
    Kind.NATIVE: "malloc_used_bytes",
    Kind.FRAGMENTATION: "malloc_retained_bytes",
}


class History:
    """A ring of the newest points."""

    def __init__(self, max_samples: int) -> None:
        self._points: deque[HistoryPoint] = deque(maxlen=max_samples)

    def add(self, reading: Reading) -> None:
        """Keep what the reading's sample, and the newest census and detail with it, say.

        When the clock was set back, what was kept lies in the future and can't be compared: begin anew.
        """
        if reading.sample is None:
            return
        if self._points and reading.sample.taken_at < self._points[-1].taken_at:
            self._points.clear()
        process, malloc = reading.sample.process, reading.detail.malloc
        self._points.append(
            HistoryPoint(
                taken_at=reading.sample.taken_at,
                resident_bytes=process.resident_bytes if process else None,
                growing_bytes=process.growing_bytes if process else None,
                heap_bytes=reading.census.bytes if reading.census else None,
                malloc_used_bytes=malloc.used_bytes if malloc else None,
                malloc_retained_bytes=malloc.retained_bytes if malloc else None,
            )
        )

    def points(self) -> Sequence[HistoryPoint]:
        """Return all points, oldest first."""
        return tuple(self._points)

    def series(self, kind: Kind, since: float) -> list[tuple[float, float]]:
        """Return (Unix seconds, bytes) of one kind of memory from ``since`` on, gaps left out."""
        field = _FIELDS[kind]
        return [
            (point.taken_at, float(value))
            for point in self._points
            if point.taken_at >= since and (value := getattr(point, field)) is not None
        ]
