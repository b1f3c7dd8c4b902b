"""The features of the growth of a process: numbers that the leak model judges, computed from minima of buckets.

Every feature is one number with a unit, or NaN where it is unknown: where the run is too short for a stretch, a column
was not read, or no run came before. Training computes them with this code, so that a model is asked what it was
trained on. Sizes are MiB, times are windows; the other features are ratios.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from heap_exporter.detection.restarts import EarlierRuns
from heap_exporter.detection.windows import BUCKETS, BUCKETS_A_WINDOW, LEVELS, Growth, ProcessRun
from heap_exporter.model import Point

MIB = 1024 * 1024

MIN_SIZE_BYTES = 32 * MIB
"""A process counts as large as this at least, where growth is compared with its size."""

MAX_RATIO, MAX_NOISES = 5.0, 1000.0

COLUMNS = ("heap_bytes", "allocated_blocks")
"""Fields of points that have features of their own."""

COLUMN_LEVELS = (2, 4, 6)
"""The levels of the stretches of these: 1, 4 and 16 windows."""


DAY_BUCKETS = 24
"""Buckets of the last level that are a day of 96 windows."""


class Feature(NamedTuple):
    """A feature: its name, its unit, and whether more of it makes a leak more likely in any case.

    ``docs/detection.md`` has what each states.
    """

    name: str
    unit: str
    increases: bool = False


STRETCH = (
    Feature("gain", "MiB", increases=True),
    Feature("relative", "ratio", increases=True),
    Feature("noises", "ratio", increases=True),
    Feature("tau", "-1 to 1"),
    Feature("head", "ratio"),
    Feature("tail", "ratio"),
    Feature("bend", "ratio"),
    Feature("jumps", "0 to 1"),
    Feature("drop", "ratio"),
    Feature("new", "ratio"),
)
WHOLE_RUN = STRETCH[:-1]
"""Nothing is known before a whole run."""

COLUMN = (
    Feature("relative", "ratio"),
    Feature("tau", "-1 to 1"),
)
RUN = (
    Feature("age", "windows"),
    Feature("size", "MiB"),
    Feature("day", "ratio"),
    Feature("fall", "ratio"),
)
EARLIER = (
    Feature("earlier_count", "count"),
    Feature("earlier_windows", "windows"),
    Feature("earlier_age", "ratio"),
    Feature("earlier_slope", "ratio"),
    Feature("earlier_spread", "ln"),
    Feature("earlier_relative", "ratio"),
    Feature("earlier_tau", "-1 to 1"),
    Feature("earlier_tail", "ratio"),
    Feature("earlier_end", "ratio"),
    Feature("earlier_above", "ratio"),
)


def stretch_windows(level: int) -> float:
    """Return the length in windows of the stretch of a level."""
    return BUCKETS * (1 << level) / BUCKETS_A_WINDOW


def _names() -> tuple[Feature, ...]:
    stretches = [f"{stretch_windows(level):g}w" for level in range(LEVELS)]
    found = [feature._replace(name=f"{feature.name}_{stretch}") for stretch in stretches for feature in STRETCH]
    found += [feature._replace(name=f"{feature.name}_run") for feature in WHOLE_RUN]
    found += [
        feature._replace(name=f"{column}_{feature.name}_{stretches[level]}")
        for column in COLUMNS
        for level in COLUMN_LEVELS
        for feature in COLUMN
    ]
    return (*found, *RUN, *EARLIER)


FEATURES = _names()
"""All features, in the order of a vector."""

NAMES = tuple(feature.name for feature in FEATURES)

UNKNOWN_STRETCH, UNKNOWN_COLUMN = (math.nan,) * len(STRETCH), (math.nan,) * len(COLUMN)


class GrowthFeatures:
    """Keeps what the features of one run need, as its points arrive."""

    def __init__(self, begin: float, window_seconds: float, earlier: EarlierRuns) -> None:
        self.run = ProcessRun(begin, window_seconds)
        self._earlier = earlier
        self._window_seconds = window_seconds
        self._columns = [ProcessRun(begin, window_seconds, has_heights=False) for _ in COLUMNS]
        self._stretches: list[tuple[Growth | None, tuple[float, ...]]] = [(None, UNKNOWN_STRETCH)] * LEVELS

    def add(self, point: Point, size: float) -> int:
        """Add a point whose judged memory is ``size`` bytes; return on how many levels a bucket is complete."""
        for column, name in zip(self._columns, COLUMNS, strict=True):
            value = getattr(point, name)
            if value is not None:
                column.add(point.t_seconds, float(value))
        return self.run.add(point.t_seconds, size)

    def known_columns(self) -> tuple[bool, ...]:
        """Return of each of :data:`COLUMNS` whether a point of the last window had it."""
        return tuple(self._is_known(column) for column in self._columns)

    def growths(self) -> tuple[Growth, ...]:
        """Return the growths over all stretches that are known, the shortest first; of the whole run if it is young."""
        found = tuple(growth for level in range(LEVELS) if (growth := self.run.growth(level)) is not None)
        whole = None if found and found[-1].windows >= 1 else self.run.whole()
        return found if whole is None else (*found, whole)

    def vector(self) -> list[float]:
        """Return the features as of the last point, in the order of :data:`FEATURES`."""
        found: list[float] = []
        for level in range(LEVELS):
            found += self._stretch(level)
        whole = self.run.whole()
        found += (UNKNOWN_STRETCH if whole is None else _of_growth(whole))[: len(WHOLE_RUN)]
        for column in self._columns:
            for level in COLUMN_LEVELS:
                found += self._of_column(column, level)
        return [*found, *self._of_run(), *self._of_earlier_runs(whole)]

    def _stretch(self, level: int) -> tuple[float, ...]:
        growth = self.run.growth(level)
        before, values = self._stretches[level]
        if growth is not before:
            values = UNKNOWN_STRETCH if growth is None else _of_growth(growth)
            self._stretches[level] = growth, values
        return values

    def _of_column(self, column: ProcessRun, level: int) -> tuple[float, ...]:
        growth = column.growth(level) if self._is_known(column) else None
        if growth is None:
            return UNKNOWN_COLUMN
        return _ratio(growth.trend.gained, max(growth.trend.first, 1.0)), growth.trend.tau

    def _is_known(self, column: ProcessRun) -> bool:
        return self.run.now - column.now <= self._window_seconds

    def _of_run(self) -> tuple[float, ...]:
        size, highest = self.run.size(), self.run.highest()
        day = self.run.minima.of(LEVELS - 1, DAY_BUCKETS + 1)
        has_day = len(day) > 1 and day[0].bucket == day[-1].bucket - DAY_BUCKETS
        return (
            self.run.windows,
            size / MIB,
            _ratio(day[-1].bytes - day[0].bytes, day[0].bytes) if has_day else math.nan,
            (highest - size) / highest if highest > 0 else math.nan,
        )

    def _of_earlier_runs(self, whole: Growth | None) -> tuple[float, ...]:
        runs = self._earlier.summary
        return (
            float(runs.ended),
            runs.windows,
            _ratio(self.run.windows, runs.windows),
            math.nan if whole is None else _ratio(whole.slope, runs.slope),
            runs.spread,
            runs.relative,
            runs.tau,
            _bounded(runs.tail_ratio),
            runs.end_spread,
            _ratio(self.run.size() - runs.highest, runs.highest),
        )


def _of_growth(growth: Growth) -> tuple[float, ...]:
    line = growth.trend
    scale = max(abs(line.gained), 1.0)
    return (
        line.gained / MIB,
        line.gained / max(line.first, MIN_SIZE_BYTES),
        max(min(line.gained / max(line.noise, 1e-4 * max(line.first, 1.0), 4096.0), MAX_NOISES), -MAX_NOISES),
        line.tau,
        _bounded(line.head_ratio),
        _bounded(line.tail_ratio),
        _bounded(line.bend),
        line.jump_share,
        min(line.drop / scale, MAX_RATIO),
        _bounded(growth.above_highest / scale) if growth.highest_before > -math.inf else math.nan,
    )


def _bounded(ratio: float) -> float:
    return max(min(ratio, MAX_RATIO), -MAX_RATIO)


def _ratio(value: float, to: float) -> float:
    return _bounded(value / to) if to else math.nan
