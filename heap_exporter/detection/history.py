"""The points of a process in bounded memory: the newest ones to draw, a thinned series to attribute growth from."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from heap_exporter.model import Census, CollectorState, Finding, Point, ProcessMemory, Reading, Sample, SlowReadings

BUCKETS_A_WINDOW = 16
DENSE_WINDOWS = 8
SPARSE_WINDOWS = 384


class History:
    """A ring of the newest points."""

    def __init__(self, max_samples: int) -> None:
        self._points: deque[Point] = deque(maxlen=max_samples)

    def add(self, point: Point) -> None:
        """Add a point to judge. If the clock was set back, earlier points are forgotten: they lie in the future."""
        if self._points and point.t_seconds < self._points[-1].t_seconds:
            self._points.clear()
        self._points.append(point)

    def __len__(self) -> int:
        return len(self._points)

    def points(self) -> Sequence[Point]:
        """Return the points in memory by which the detector judges growth, oldest first."""
        return tuple(self._points)


class ThinnedHistory:
    """A few hundred points of one run: one per sixteenth of a window for the last windows, one per window for days.

    A field stays unknown in points between two censuses: a value carried forward would look as if it had not grown.
    """

    def __init__(self, begin: float, window_seconds: float) -> None:
        self._begin = begin
        self._window_seconds = window_seconds
        self._dense = _Buckets(DENSE_WINDOWS * BUCKETS_A_WINDOW)
        self._sparse = _Buckets(SPARSE_WINDOWS)

    def add(self, point: Point) -> None:
        """Add a judged point, and drop those that are older than the history is long."""
        bucket = int((point.t_seconds - self._begin) * BUCKETS_A_WINDOW / self._window_seconds)
        self._dense.add(bucket, point)
        self._sparse.add(bucket // BUCKETS_A_WINDOW, point)

    def last(self, seconds: float) -> tuple[Point, ...]:
        """Return the judged points of the last ``seconds``, oldest first."""
        buckets = self._dense if seconds <= DENSE_WINDOWS * self._window_seconds else self._sparse
        return buckets.last(seconds)


class _Buckets:
    """The newest point of each bucket; its unknown fields are taken from the points before it in the bucket."""

    def __init__(self, max_buckets: int) -> None:
        self._points: deque[Point] = deque(maxlen=max_buckets)
        self._bucket: int | None = None

    def add(self, bucket: int, point: Point) -> None:
        if bucket == self._bucket:
            self._points[-1] = _joined(self._points[-1], point)
        else:
            self._points.append(point)
            self._bucket = bucket

    def last(self, seconds: float) -> tuple[Point, ...]:
        since = self._points[-1].t_seconds - seconds if self._points else 0.0
        return tuple(point for point in self._points if point.t_seconds >= since)


def _joined(older: Point, newer: Point) -> Point:
    if None not in newer:
        return newer
    return Point._make([old if new is None else new for old, new in zip(older, newer, strict=True)])


def point(
    sample: Sample,
    detail: SlowReadings | None = None,
    census: Census | None = None,
    *,
    limit_bytes: int | None = None,
    restart: bool = False,
    finding: Finding | None = None,
) -> Point | None:
    """Return the point for the detector to judge, from one sample; ``None`` if the kernel gave no memory."""
    if sample.process is None:
        return None
    return Point(
        t_seconds=sample.taken_at,
        rss_bytes=sample.process.resident_bytes,
        allocated_blocks=sample.allocated_blocks,
        interned_strings=sample.interned_strings,
        restart=restart,
        finding=finding,
        limit_bytes=limit_bytes,
        **_of_process(sample.process),
        **(_of_collector(sample.collector) if sample.collector else {}),
        **(_of_detail(detail) if detail else {}),
        **({"heap_bytes": census.bytes, "n_objects": census.objects} if census else {}),
    )


def point_of(reading: Reading, before: Reading, *, restart: bool, finding: Finding | None) -> Point | None:
    """Return the point for the detector to judge, from a reading and what is new in it since ``before``.

    ``None`` where there is no sample, or one without the memory of the process.
    """
    if reading.sample is None:
        return None
    limits = reading.detail.limits
    return point(
        reading.sample,
        reading.detail if _is_new(reading.detail, before.detail) else None,
        reading.census if reading.census is not before.census else None,
        limit_bytes=limits.limit_bytes if limits else None,
        restart=restart,
        finding=finding,
    )


def _is_new(detail: SlowReadings, before: SlowReadings) -> bool:
    """Return whether a point to judge has new details: the limits are read with every sample, others rarely."""
    return any(getattr(detail, name) is not getattr(before, name) for name in ("malloc", "pymalloc", "shares"))


def _of_process(process: ProcessMemory) -> dict[str, int | None]:
    return {
        "anonymous_bytes": process.anonymous_bytes,
        "file_bytes": process.file_bytes,
        "shmem_bytes": process.shmem_bytes,
        "swap_bytes": process.swap_bytes,
        "threads": process.threads,
    }


def _of_collector(collector: CollectorState) -> dict[str, int | None]:
    return {
        "gc_gen2_collections": collector.full_collections,
        "gc_pending_objects": collector.pending_objects[0],
        "gc_enabled": int(collector.enabled),
        "uncollectable_objects": max(sum(collector.uncollectable_objects), collector.garbage_objects),
    }


def _of_detail(detail: SlowReadings) -> dict[str, int | None]:
    malloc, pymalloc, shares = detail.malloc, detail.pymalloc, detail.shares
    return {
        "malloc_used_bytes": malloc.used_bytes if malloc else None,
        "malloc_retained_bytes": malloc.retained_bytes if malloc else None,
        "pymalloc_used_bytes": pymalloc.used_bytes if pymalloc else None,
        "pymalloc_retained_bytes": pymalloc.retained_bytes if pymalloc else None,
        "unique_bytes": shares.unique_bytes if shares else None,
    }
