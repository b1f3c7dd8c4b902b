"""The memory of one run of the process, seen over lengths of time from one window to days.

Under load the memory of a heap is a sawtooth whose peaks mean nothing: each run is cut into buckets of equal time, and
the minimum of a bucket stands for it. The buckets of a level are twice as long as those of the level below, so that
hours and days are judged from as few minima as minutes are.

A sawtooth, a batch job or a day's load rises like a leak each time, but only the first time to a height that is new.
At each length only what lasted for a part of that length counts as a height, so that a short spike long ago hides a
leak at the short lengths and not at the long ones.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from heap_exporter.detection.trend import Trend, fit_trend

BUCKETS_A_WINDOW = 16
LEVELS = 9
"""The buckets of the last level are 16 windows long: at the default window, four hours."""

MINIMA_KEPT = 32
"""Minima kept for each level."""

MIN_SEEN = 0.7
"""Share of the buckets of a length that must have been seen to judge it."""

LASTING_BUCKETS = 4
"""Buckets that a height must have lasted."""


class BucketMinimum(NamedTuple):
    """The minimum of a bucket; ``bucket`` counts buckets from the beginning of the run."""

    bucket: int
    bytes: float


class BucketMinima:
    """The minima of a series in buckets of ``[begin, ...)`` on all levels; the shortest bucket is 1/16 of a window."""

    def __init__(self, begin: float, window_seconds: float) -> None:
        self.begin = begin
        self.bucket_seconds = window_seconds / BUCKETS_A_WINDOW
        self._done: list[deque[BucketMinimum]] = [deque(maxlen=MINIMA_KEPT) for _ in range(LEVELS)]
        self._open: list[BucketMinimum | None] = [None] * LEVELS

    def add(self, at: float, size: float) -> tuple[int, ...]:
        """Add a value of the judged memory, in order of time; return the levels on which this completes a bucket."""
        index = int((at - self.begin) / self.bucket_seconds)
        done: list[int] = []
        for level in range(LEVELS):
            opened = self._open[level]
            if opened is None or opened.bucket == index:
                self._open[level] = BucketMinimum(index, size if opened is None else min(size, opened.bytes))
                break
            self._done[level].append(opened)
            self._open[level] = BucketMinimum(index, size)
            done.append(level)
            index, size = opened.bucket // 2, opened.bytes
        return tuple(done)

    def of(self, level: int, buckets: int) -> list[BucketMinimum]:
        """Return the minima of the last ``buckets`` complete buckets of a level, oldest first, without empty ones."""
        done = self._done[level]
        if not done:
            return []
        since = done[-1].bucket - buckets
        return [minimum for minimum in done if minimum.bucket > since]

    def seconds(self, level: int) -> float:
        """Return the length of a bucket of minima on a level in seconds."""
        return self.bucket_seconds * float(1 << level)


class Length(NamedTuple):
    """A length of time over which growth is judged."""

    level: int
    buckets: int

    @property
    def windows(self) -> float:
        return self.buckets * (1 << self.level) / BUCKETS_A_WINDOW


LENGTHS = tuple((Length(level, 16), Length(level, 24)) for level in range(LEVELS))
"""One, one and a half, two, three, four, six … windows, by level."""

BETWEEN = tuple((Length(level, 20), Length(level, 28)) for level in range(LEVELS))
"""Lengths in between, so that growth which ends just before the next length is judged over all of its time."""

LONGEST_FIRST = sorted((*chain(*LENGTHS), *chain(*BETWEEN)), key=lambda length: -length.windows)

MAX_BUCKETS = 28
"""Buckets of the longest length of a level."""

BETWEEN_BUCKETS = 2
"""Buckets after which the lengths in between are judged again."""

SHORT_LEVELS = 2
TIMES, TIMES_SHORT = 12, 6
"""How many times over a length is judged, at least; the short lengths cause nearly all of the cost."""


class Growth(NamedTuple):
    """The trend of the minima over a length of time, and the height that memory had had before it."""

    length: Length
    trend: Trend
    seconds: float
    highest_before: float

    @property
    def slope(self) -> float:
        """Return the slope of the growth in bytes per second."""
        return self.trend.gained / self.seconds

    @property
    def above_highest(self) -> float:
        """Return the bytes by which the last quarter is above all lasting heights before."""
        return self.trend.recent_low - self.highest_before


class ProcessRun:
    """The memory of one run of the process; ``before`` is the run before it, if the heights of that one still count."""

    def __init__(self, begin: float, window_seconds: float, before: ProcessRun | None = None) -> None:
        self.minima = BucketMinima(begin, window_seconds)
        self.begin = begin
        self._heights: list[deque[BucketMinimum]] = [deque() for _ in range(LEVELS)]
        self._highest = before.heights() if before else [-math.inf] * LEVELS

    def add(self, at: float, size: float) -> tuple[int, ...]:
        """Add the memory of a sample in bytes; return the levels of buckets on which there is growth to judge anew."""
        levels = self.minima.add(at, size)
        for level in levels:
            lasting = self.minima.of(level, LASTING_BUCKETS)
            heights = self._heights[level]
            heights.append(BucketMinimum(lasting[-1].bucket, min(minimum.bytes for minimum in lasting)))
            while heights[0].bucket < lasting[-1].bucket - MAX_BUCKETS:
                self._highest[level] = max(self._highest[level], heights.popleft().bytes)
        return levels

    def growths(self, level: int) -> Iterator[Growth]:
        """Yield the growths to judge when a bucket of a level is complete."""
        complete = self._heights[level][-1].bucket + 1
        for length in LENGTHS[level]:
            if complete % (length.buckets // TIMES_SHORT if level < SHORT_LEVELS else length.buckets // TIMES) == 0:
                growth = self.growth(length)
                if growth is not None:
                    yield growth

    def growths_between(self, level: int) -> Iterator[Growth]:
        """Yield the growths over the lengths in between, which can only confirm a leak."""
        if level == 0 or (self._heights[level][-1].bucket + 1) % BETWEEN_BUCKETS:
            return
        for length in BETWEEN[level]:
            growth = self.growth(length) if self._has_grown(length) else None
            if growth is not None:
                yield growth

    def _has_grown(self, length: Length) -> bool:
        """Return whether the last quarter is above the beginning of a length: a cheap check before its trend."""
        sizes = [minimum.bytes for minimum in self.minima.of(*length)]
        return min(sizes[-length.buckets // 4 :]) > sizes[0]

    def heights(self) -> list[float]:
        """Return the greatest lasting height of the judged memory by level, in bytes."""
        return [
            max([highest, *(height.bytes for height in heights)])
            for highest, heights in zip(self._highest, self._heights, strict=True)
        ]

    def whole(self) -> Growth | None:
        """Return the growth over the longest length that has been seen."""
        return next((growth for length in LONGEST_FIRST if (growth := self.growth(length))), None)

    def growth(self, length: Length) -> Growth | None:
        """Return the growth over the newest minima of a length, or ``None`` if too few of them have been seen."""
        level, buckets = length
        found = self.minima.of(level, buckets)
        if len(found) < MIN_SEEN * buckets or found[-1].bucket + 1 < buckets:
            return None
        if found[0].bucket > found[-1].bucket - buckets * MIN_SEEN:
            return None
        line = fit_trend(found)
        if line is None:
            return None
        since = found[-1].bucket - buckets
        before = [height.bytes for height in self._heights[level] if height.bucket <= since]
        return Growth(
            length=length,
            trend=line,
            seconds=(found[-1].bucket - found[0].bucket) * self.minima.seconds(level),
            highest_before=max([self._highest[level], *before]),
        )
