"""The points that a growth is explained from: a few hundred, dense for the last windows, sparse for the days before."""

from __future__ import annotations

from collections import deque

from heap_exporter.detection.bucket_minima import BUCKETS_A_WINDOW
from heap_exporter.model import Point

DENSE_WINDOWS = 8
SPARSE_WINDOWS = 384


class Evidence:
    """Keeps one point a sixteenth of a window, and one a window. No figure counts for longer than that.

    A census that comes less often is not known in between: a figure that was carried on would look as if it had not
    grown.
    """

    def __init__(self, begin: float, window_seconds: float) -> None:
        self._begin = begin
        self._window_seconds = window_seconds
        self._dense = _Thinned(DENSE_WINDOWS * BUCKETS_A_WINDOW)
        self._sparse = _Thinned(SPARSE_WINDOWS)

    def add(self, point: Point) -> None:
        """Take note of a point."""
        bucket = int((point.t_seconds - self._begin) * BUCKETS_A_WINDOW / self._window_seconds)
        self._dense.add(bucket, point)
        self._sparse.add(bucket // BUCKETS_A_WINDOW, point)

    def of(self, seconds: float) -> tuple[Point, ...]:
        """Return the points of the last ``seconds``, oldest first."""
        kept = self._dense if seconds <= DENSE_WINDOWS * self._window_seconds else self._sparse
        return kept.of(seconds)


class _Thinned:
    """Keeps the newest point of each bucket; what it doesn't know is taken from those before it in the bucket."""

    def __init__(self, most: int) -> None:
        self._points: deque[Point] = deque(maxlen=most)
        self._bucket: int | None = None

    def add(self, bucket: int, point: Point) -> None:
        if bucket == self._bucket:
            self._points[-1] = _joined(self._points[-1], point)
        else:
            self._points.append(point)
            self._bucket = bucket

    def of(self, seconds: float) -> tuple[Point, ...]:
        since = self._points[-1].t_seconds - seconds if self._points else 0.0
        return tuple(point for point in self._points if point.t_seconds >= since)


def _joined(older: Point, newer: Point) -> Point:
    if None not in newer:
        return newer
    return Point._make([old if new is None else new for old, new in zip(older, newer, strict=True)])
