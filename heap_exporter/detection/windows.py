"""The memory of one run of the process, seen over stretches of time from a quarter of a window to 64 windows.

Under load the memory of a heap is a sawtooth whose peaks mean nothing: each run is cut into buckets of equal time, and
the minimum of a bucket stands for it. The buckets of a level are twice as long as those of the level below, so that
hours and days are judged from as few minima as minutes are.

A sawtooth, a batch job or a day's load rises like a leak each time, but only the first time to a height that is new.
At each level only what lasted for a part of a stretch counts as a height, so that a short spike long ago hides a leak
at the short stretches and not at the long ones.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from heap_exporter.detection.trend import Trend, fit_trend

BUCKETS = 16
"""Buckets of a stretch."""

BUCKETS_A_WINDOW = 64
LEVELS = 9
"""The stretch of the first level is a quarter of a window, that of the last is 64 windows: 16 hours of 15 minutes."""

WINDOW_LEVEL = 2
"""The level whose stretch is one window."""

MINIMA_KEPT = 32
"""Minima kept for each level: until there are so many, they are those of the whole run."""

MIN_SEEN = 0.7
"""Share of the buckets of a stretch that must have been seen to judge it."""

LASTING_BUCKETS = 4
"""Buckets that a height must have lasted."""


MIN_TAU = 0.7
"""Kendall's tau of the lows from which a rise counts as steady."""

MIN_TAIL = 0.5
"""Share of the slope that the last third of a steady rise must still have."""

MIN_NOISES = 4.0
"""Standard deviations of the lows that a steady rise must have gained."""

MAX_JUMP_SHARE = 0.75
"""Largest share of the three largest rises in all rises of a steady one."""


class BucketMinimum(NamedTuple):
    """The minimum of a bucket; ``bucket`` counts buckets from the beginning of the run."""

    bucket: int
    bytes: float


class BucketMinima:
    """The minima of a series in buckets of ``[begin, ...)`` on all levels; the shortest bucket is 1/64 of a window."""

    def __init__(self, begin: float, window_seconds: float) -> None:
        self.begin = begin
        self.bucket_seconds = window_seconds / BUCKETS_A_WINDOW
        self._done: list[deque[BucketMinimum]] = [deque(maxlen=MINIMA_KEPT) for _ in range(LEVELS)]
        self._open: list[BucketMinimum | None] = [None] * LEVELS

    def add(self, at: float, size: float) -> int:
        """Add a value in order of time; return on how many levels, from the lowest, this completes a bucket."""
        index = int((at - self.begin) / self.bucket_seconds)
        for level in range(LEVELS):
            opened = self._open[level]
            if opened is None or opened.bucket == index:
                self._open[level] = BucketMinimum(index, size if opened is None else min(size, opened.bytes))
                return level
            self._done[level].append(opened)
            self._open[level] = BucketMinimum(index, size)
            index, size = opened.bucket // 2, opened.bytes
        return LEVELS

    def of(self, level: int, buckets: int) -> list[BucketMinimum]:
        """Return the minima of the last ``buckets`` complete buckets of a level, oldest first, without empty ones."""
        done = self._done[level]
        if not done:
            return []
        since = done[-1].bucket - buckets
        return [minimum for minimum in done if minimum.bucket > since]

    def lasting(self, level: int, buckets: int) -> BucketMinimum:
        """Return the newest complete bucket of a level, with the minimum over it and some before it."""
        done = self._done[level]
        newest, lowest = done[-1]
        for place in range(2, min(buckets, len(done)) + 1):
            bucket, size = done[-place]
            if bucket <= newest - buckets:
                break
            lowest = min(lowest, size)
        return BucketMinimum(newest, lowest)

    def stretch(self, level: int) -> list[BucketMinimum]:
        """Return the minima of a level's newest stretch, none if too little of it has been seen."""
        found = self.of(level, BUCKETS)
        if len(found) < MIN_SEEN * BUCKETS or found[-1].bucket + 1 < BUCKETS:
            return []
        return found if found[0].bucket <= found[-1].bucket - BUCKETS * MIN_SEEN else []

    def whole(self) -> tuple[int, list[BucketMinimum]]:
        """Return the lowest level that has kept all of the run, and its minima without the first, the start."""
        for level, done in enumerate(self._done):
            if not done or done[-1].bucket < MINIMA_KEPT:
                return level, list(done)[1:]
        return LEVELS - 1, list(self._done[-1])

    def seconds(self, level: int) -> float:
        """Return the length of a bucket of minima on a level in seconds."""
        return self.bucket_seconds * float(1 << level)


class Growth(NamedTuple):
    """The trend of the minima over a stretch, and the height that memory had had before it.

    ``windows`` is the nominal length of the stretch, ``seconds`` the time between its first and last minimum.
    ``highest_before`` is minus infinity where nothing is known before.
    """

    windows: float
    trend: Trend
    seconds: float
    highest_before: float = -math.inf

    @property
    def slope(self) -> float:
        """Return the slope of the growth in bytes per second."""
        return self.trend.gained / self.seconds

    @property
    def above_highest(self) -> float:
        """Return the bytes by which the last quarter is above all lasting heights before."""
        return self.trend.recent_low - self.highest_before

    @property
    def is_steady(self) -> bool:
        """Return whether the lows rise over the whole stretch, by more than their noise, and still rise at its end."""
        line = self.trend
        return (
            line.gained >= MIN_NOISES * line.noise
            and line.tau >= MIN_TAU
            and line.tail_ratio >= MIN_TAIL
            and line.jump_share <= MAX_JUMP_SHARE
        )


class ProcessRun:
    """The memory of one run of the process: the newest growth of each level, computed when a bucket is complete.

    Without ``has_heights``, the highest values before a growth stay unknown, which saves time.
    """

    def __init__(self, begin: float, window_seconds: float, *, has_heights: bool = True) -> None:
        self._has_heights = has_heights
        self.minima = BucketMinima(begin, window_seconds)
        self.begin = begin
        self.now = begin
        self._window_seconds = window_seconds
        self._heights: list[deque[BucketMinimum]] = [deque() for _ in range(LEVELS)]
        self._highest = [-math.inf] * LEVELS
        self._growths: list[Growth | None] = [None] * LEVELS
        self._are_new = [False] * LEVELS
        self._whole: Growth | None = None
        self._whole_until: tuple[int, int] | None = None

    @property
    def windows(self) -> float:
        """Return the age of this run in windows."""
        return (self.now - self.begin) / self._window_seconds

    def add(self, at: float, size: float) -> int:
        """Add the memory of a sample in bytes; return on how many levels, from the lowest, a bucket is complete."""
        self.now = at
        complete = self.minima.add(at, size)
        for level in range(complete):
            self._are_new[level] = True
            if self._has_heights:
                self._add_height(level)
        return complete

    def growth(self, level: int) -> Growth | None:
        """Return the growth over the newest stretch of a level, or ``None`` if too little of it has been seen."""
        if self._are_new[level]:
            self._growths[level] = self._growth(level)
            self._are_new[level] = False
        return self._growths[level]

    def whole(self) -> Growth | None:
        """Return the growth over the whole run, without its start; over its last 32 minima if it is very long."""
        level, found = self.minima.whole()
        newest = (level, found[-1].bucket) if found else None
        if newest != self._whole_until:
            self._whole_until = newest
            self._whole = self._growth_of_whole(level, found)
        return self._whole

    def size(self) -> float:
        """Return the newest low of this run in bytes, 0 before there is one."""
        newest = self.minima.of(0, 1)
        return newest[-1].bytes if newest else 0.0

    def highest(self) -> float:
        """Return the greatest lasting height of this run at the shortest level, in bytes."""
        return max([self._highest[0], *(height.bytes for height in self._heights[0])])

    def _growth(self, level: int) -> Growth | None:
        found = self.minima.stretch(level)
        trend = fit_trend(found)
        if trend is None:
            return None
        since = found[-1].bucket - BUCKETS
        before = [height.bytes for height in self._heights[level] if height.bucket <= since]
        return Growth(
            windows=BUCKETS * (1 << level) / BUCKETS_A_WINDOW,
            trend=trend,
            seconds=(found[-1].bucket - found[0].bucket) * self.minima.seconds(level),
            highest_before=max([self._highest[level], *before]),
        )

    def _growth_of_whole(self, level: int, found: list[BucketMinimum]) -> Growth | None:
        trend = fit_trend(found)
        if trend is None:
            return None
        seconds = (found[-1].bucket - found[0].bucket) * self.minima.seconds(level)
        return Growth(seconds / self._window_seconds, trend, seconds)

    def _add_height(self, level: int) -> None:
        newest, height = self.minima.lasting(level, LASTING_BUCKETS)
        heights = self._heights[level]
        heights.append(BucketMinimum(newest, height))
        while heights[0].bucket < newest - BUCKETS:
            highest = heights.popleft().bytes
            self._highest[level] = max(self._highest[level], highest)
