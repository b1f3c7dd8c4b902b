"""What the lives before this one have shown: a leak that is killed at its limit grows alike in each of them."""

from __future__ import annotations

import math
import statistics
from collections import deque

from heap_exporter.detection.confirmation import HUGE, WINDOWS_TO_DOUBLE, is_straight, times_grown
from heap_exporter.detection.windows import Growth

MIN_LIVES = 2
MAX_LIVES = 16

MIN_WINDOWS = 4.0
"""How long a life must have been seen to tell a leak from a warm-up."""

MIN_WINDOWS_DOUBLING = 2.0
"""The same if it doubled the process at least."""

STRAIGHT = HUGE._replace(windows=0.0, min_end=0.85, new=-math.inf)
"""As tall as the lives before, not taller; but straight to the end, which a cache that each life fills anew is not."""

ALIKE = 1.7
"""Factor between slopes that count as the same."""


class Lives:
    """Remembers the lives that grew straight to their end, as long as there is no other kind in between."""

    def __init__(self) -> None:
        self._grown: deque[Growth] = deque(maxlen=MAX_LIVES)

    def end(self, growth: Growth | None, min_bytes: float) -> None:
        """Take note of how a life ended; one that was too short to be judged tells nothing."""
        if growth is None:
            return
        min_windows = MIN_WINDOWS if times_grown(growth) < 1 else MIN_WINDOWS_DOUBLING
        long_enough = growth.length.windows >= min_windows
        if growth.trend.gained >= min_bytes and long_enough and is_straight(growth, STRAIGHT):
            self._grown.append(growth)
        elif growth.length.windows >= MIN_WINDOWS_DOUBLING:
            self._grown.clear()

    def repeat(self, growth: Growth) -> bool:
        """Return whether a growth is that of the lives before again, and together they are long enough to be a leak."""
        if len(self._grown) < MIN_LIVES:
            return False
        slope = statistics.median(life.slope for life in self._grown)
        windows = sum(life.length.windows for life in (*self._grown, growth))
        times = statistics.median(times_grown(life) for life in self._grown)
        return (
            all(slope / ALIKE <= life.slope <= slope * ALIKE for life in (*self._grown, growth))
            and windows * max(times, 1.0) >= WINDOWS_TO_DOUBLE
        )
