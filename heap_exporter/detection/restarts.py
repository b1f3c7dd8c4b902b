"""The runs of a process before this one: a leak that ends at the memory limit again and again grows alike in each."""

from __future__ import annotations

import math
from collections import deque

from heap_exporter.detection.confirmation import HUGE, WINDOWS_TO_DOUBLE, is_straight, times_grown
from heap_exporter.detection.trend import median
from heap_exporter.detection.windows import Growth

MIN_RUNS = 2
MAX_RUNS = 16

MIN_WINDOWS = 4.0
"""Windows for which a run must have been seen to distinguish a leak from a warm-up."""

MIN_WINDOWS_DOUBLING = 2.0
"""The same for a run that doubled the process at least."""

STRAIGHT = HUGE._replace(windows=0.0, min_end=0.85, new=-math.inf)
"""As high as the runs before, not higher; but straight to the end, as a cache that each run fills anew is not."""

SAME_SLOPE_FACTOR = 1.7
"""Factor between slopes that count as the same."""


class EarlierRuns:
    """The last runs that grew straight to their end, as long as there is no run of another shape in between."""

    def __init__(self) -> None:
        self._straight: deque[Growth] = deque(maxlen=MAX_RUNS)

    def add(self, growth: Growth | None, min_bytes: float) -> None:
        """Add the growth of a run that ended; ``None``, of a run that was too short to be judged, has no effect."""
        if growth is None:
            return
        min_windows = MIN_WINDOWS if times_grown(growth) < 1 else MIN_WINDOWS_DOUBLING
        long_enough = growth.length.windows >= min_windows
        if growth.trend.gained >= min_bytes and long_enough and is_straight(growth, STRAIGHT):
            self._straight.append(growth)
        elif growth.length.windows >= MIN_WINDOWS_DOUBLING:
            self._straight.clear()

    def are_repeated_by(self, growth: Growth) -> bool:
        """Return whether a growth is that of the runs before again, and together they are long enough to be a leak."""
        if len(self._straight) < MIN_RUNS:
            return False
        slope = median(run.slope for run in self._straight)
        windows = sum(run.length.windows for run in (*self._straight, growth))
        times = median(times_grown(run) for run in self._straight)
        return (
            all(
                slope / SAME_SLOPE_FACTOR <= run.slope <= slope * SAME_SLOPE_FACTOR for run in (*self._straight, growth)
            )
            and windows * max(times, 1.0) >= WINDOWS_TO_DOUBLE
        )
