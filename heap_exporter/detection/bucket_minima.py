"""The floors of a series at many lengths at once, kept as points arrive.

A heap under load is a sawtooth whose teeth say nothing and whose floors say everything: the series is cut into buckets
of equal time and each stands for its minimum. The buckets of a level are twice as long as those of the level below, so
that hours and days are seen through as few floors as minutes are.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

BUCKETS_A_WINDOW = 16
LEVELS = 9
"""The buckets of the last level are 16 windows long: at the default window, four hours."""

KEPT = 32
"""Floors kept a level."""


class Floor(NamedTuple):
    """The minimum of a bucket; ``bucket`` counts buckets from the beginning of the life."""

    bucket: int
    bytes: float


class Floors:
    """Buckets of ``[begin, ...)`` on all levels; the shortest is a sixteenth of a window long."""

    def __init__(self, begin: float, window_seconds: float) -> None:
        self.begin = begin
        self.bucket_seconds = window_seconds / BUCKETS_A_WINDOW
        self._done: list[deque[Floor]] = [deque(maxlen=KEPT) for _ in range(LEVELS)]
        self._open: list[Floor | None] = [None] * LEVELS

    def add(self, at: float, size: float) -> tuple[int, ...]:
        """Take note of a value at a time not before the last; return the levels on which a bucket is complete now."""
        index = int((at - self.begin) / self.bucket_seconds)
        done: list[int] = []
        for level in range(LEVELS):
            opened = self._open[level]
            if opened is None or opened.bucket == index:
                self._open[level] = Floor(index, size if opened is None else min(size, opened.bytes))
                break
            self._done[level].append(opened)
            self._open[level] = Floor(index, size)
            done.append(level)
            index, size = opened.bucket // 2, opened.bytes
        return tuple(done)

    def of(self, level: int, buckets: int) -> list[Floor]:
        """Return the floors of the last ``buckets`` complete buckets of a level, oldest first; empty ones left out."""
        done = self._done[level]
        if not done:
            return []
        since = done[-1].bucket - buckets
        return [floor for floor in done if floor.bucket > since]

    def seconds(self, level: int) -> float:
        """Return how long a bucket of a level is."""
        return self.bucket_seconds * float(1 << level)
