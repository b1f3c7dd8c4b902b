"""The points that a growth is explained from: a few hundred, dense for the last windows, sparse for the days before."""

from __future__ import annotations

from collections import deque

from heap_exporter.detection.floors import BUCKETS_A_WINDOW
from heap_exporter.model import Point

DENSE_WINDOWS = 8
SPARSE_WINDOWS = 384


class Evidence:
    """Keeps one point a sixteenth of a window, and one a window. What a point doesn't know is taken from its last."""

    def __init__(self, begin: float, window_seconds: float) -> None:
        self._begin = begin
        self._window_seconds = window_seconds
        self._dense: deque[Point] = deque(maxlen=DENSE_WINDOWS * BUCKETS_A_WINDOW)
        self._sparse: deque[Point] = deque(maxlen=SPARSE_WINDOWS)
        self._open: Point | None = None
        self._bucket = 0

    def add(self, point: Point) -> None:
        """Take note of a point."""
        bucket = int((point.t_seconds - self._begin) * BUCKETS_A_WINDOW / self._window_seconds)
        opened, last = self._open, self._bucket
        self._bucket = bucket
        self._open = point if opened is None else _joined(opened, point)
        if opened is None or last == bucket:
            return
        self._dense.append(opened)
        if last // BUCKETS_A_WINDOW != bucket // BUCKETS_A_WINDOW:
            self._sparse.append(opened)

    def of(self, seconds: float) -> tuple[Point, ...]:
        """Return the points of the last ``seconds``, oldest first."""
        newest = self._open
        if newest is None:
            return ()
        since = newest.t_seconds - seconds
        kept = self._dense if seconds <= DENSE_WINDOWS * self._window_seconds else self._sparse
        return (*(point for point in kept if point.t_seconds >= since), newest)


def _joined(older: Point, newer: Point) -> Point:
    if None not in newer:
        return newer
    return Point._make([old if new is None else new for old, new in zip(older, newer, strict=True)])
