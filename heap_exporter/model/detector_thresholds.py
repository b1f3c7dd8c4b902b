"""The thresholds of the detector, which recorded series have too."""

from __future__ import annotations

from dataclasses import dataclass

from heap_exporter.runtime.quantities import DAY_SECONDS
from heap_exporter.runtime.short_repr import short_repr

WINDOWS_A_DAY = 96.0

WINDOW_BOUNDS_SECONDS = (2.0, 604_800.0)
GROWTH_BOUNDS_PERCENT = (0.0, 1000.0)
SLOPE_BOUNDS_BYTES_PER_HOUR = (0.0, 1024.0**5)
"""The smallest and the largest threshold that a setting, or a recorded series, may have."""


@dataclass(frozen=True, slots=True)
class DetectorThresholds:
    """The window in seconds, and the growth that matters: percent of the memory before, or bytes per hour.

    The larger of the two over one window is an amount of bytes, whatever the time: a slow leak reaches it later.
    """

    window_seconds: float
    growth_percent: float
    min_slope_bytes_per_hour: float

    __repr__ = short_repr

    @property
    def day_seconds(self) -> float:
        """Return the length of a day for the detector: shorter where the window is shorter than usual, as in a demo."""
        return min(DAY_SECONDS, WINDOWS_A_DAY * self.window_seconds)

    def min_bytes(self, before_bytes: float) -> float:
        """Return the gain from which growth matters in a process that had ``before_bytes``."""
        share = self.growth_percent / 100 * max(before_bytes, 0.0)
        return max(share, self.min_slope_bytes_per_hour / 3600 * self.window_seconds)
