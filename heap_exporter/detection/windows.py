"""What one life of the process has shown: its floors at every length, and how high it has been before.

A sawtooth, a batch job or a day's load rises like a leak each time, but only the first time to a height that is new.
Heights are compared like with like: at each length only what lasted for a part of that length counts as a height, so
that a short spike long ago hides a leak from the short lengths and not from the long ones.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from heap_exporter.detection.bucket_minima import BUCKETS_A_WINDOW, LEVELS, Floor, Floors
from heap_exporter.detection.trend import Trend, trend

MIN_SEEN = 0.7
"""Share of the buckets of a length that must have been seen to judge it."""

LASTING = 4
"""Buckets that a height must have lasted."""


class Length(NamedTuple):
    """A length of time that growth is judged over."""

    level: int
    buckets: int

    @property
    def windows(self) -> float:
        return self.buckets * (1 << self.level) / BUCKETS_A_WINDOW


LENGTHS = tuple((Length(level, 16), Length(level, 24)) for level in range(LEVELS))
"""One, one and a half, two, three, four, six … windows, by level."""

BETWEEN = tuple((Length(level, 20), Length(level, 28)) for level in range(LEVELS))
"""Lengths in between, so that growth which ends just before the next one is seen for as long as it lasted."""

LONGEST_FIRST = sorted((*chain(*LENGTHS), *chain(*BETWEEN)), key=lambda length: -length.windows)

LONGEST = 28
"""Buckets of the longest length of a level."""

BETWEEN_BUCKETS = 2
"""Buckets after which the lengths in between are judged again."""

SHORT_LEVELS = 2
TIMES, TIMES_SHORT = 12, 6
"""How many times over a length is judged, at least; the short ones make up nearly all of the cost."""


class Growth(NamedTuple):
    """What the floors of a length did, and the height that was usual before."""

    length: Length
    trend: Trend
    seconds: float
    highest_before: float

    @property
    def slope(self) -> float:
        """Return the slope in bytes a second."""
        return self.trend.gained / self.seconds

    @property
    def risen(self) -> float:
        """Return by how much the last quarter lies above all that lasted before."""
        return self.trend.low - self.highest_before


class Life:
    """The memory of one life of the process."""

    def __init__(self, begin: float, window_seconds: float, before: Life | None = None) -> None:
        self.floors = Floors(begin, window_seconds)
        self.begin = begin
        self._heights: list[deque[Floor]] = [deque() for _ in range(LEVELS)]
        self._highest = before.heights() if before else [-math.inf] * LEVELS

    def add(self, at: float, size: float) -> tuple[int, ...]:
        """Take note of a value; return the levels on which there is something new to judge."""
        levels = self.floors.add(at, size)
        for level in levels:
            lasting = self.floors.of(level, LASTING)
            heights = self._heights[level]
            heights.append(Floor(lasting[-1].bucket, min(floor.bytes for floor in lasting)))
            while heights[0].bucket < lasting[-1].bucket - LONGEST:
                self._highest[level] = max(self._highest[level], heights.popleft().bytes)
        return levels

    def growths(self, level: int) -> Iterator[Growth]:
        """Yield what there is to judge when a bucket of a level is complete."""
        complete = self._heights[level][-1].bucket + 1
        for length in LENGTHS[level]:
            if complete % (length.buckets // TIMES_SHORT if level < SHORT_LEVELS else length.buckets // TIMES) == 0:
                growth = self.growth(length)
                if growth is not None:
                    yield growth

    def growths_between(self, level: int) -> Iterator[Growth]:
        """Yield what there is to confirm besides when a bucket of a level is complete."""
        if level == 0 or (self._heights[level][-1].bucket + 1) % BETWEEN_BUCKETS:
            return
        for length in BETWEEN[level]:
            growth = self.growth(length) if self._has_risen(length) else None
            if growth is not None:
                yield growth

    def _has_risen(self, length: Length) -> bool:
        """Return whether the last quarter lies above where a length began: most of the time this saves its trend."""
        sizes = [floor.bytes for floor in self.floors.of(*length)]
        return min(sizes[-length.buckets // 4 :]) > sizes[0]

    def heights(self) -> list[float]:
        """Return how high memory has been for a while, by level."""
        return [
            max([highest, *(height.bytes for height in heights)])
            for highest, heights in zip(self._highest, self._heights, strict=True)
        ]

    def whole(self) -> Growth | None:
        """Return the growth over the longest length that was seen."""
        return next((growth for length in LONGEST_FIRST if (growth := self.growth(length))), None)

    def growth(self, length: Length) -> Growth | None:
        """Return what the newest floors of a length do, or ``None`` if not enough of it has been seen."""
        level, buckets = length
        found = self.floors.of(level, buckets)
        if len(found) < MIN_SEEN * buckets or found[-1].bucket + 1 < buckets:
            return None
        if found[0].bucket > found[-1].bucket - buckets * MIN_SEEN:
            return None
        line = trend(found)
        if line is None:
            return None
        since = found[-1].bucket - buckets
        before = [height.bytes for height in self._heights[level] if height.bucket <= since]
        bucket = self.floors.seconds(level)
        return Growth(
            length=length,
            trend=line,
            seconds=(found[-1].bucket - found[0].bucket) * bucket,
            highest_before=max([self._highest[level], *before]),
        )
