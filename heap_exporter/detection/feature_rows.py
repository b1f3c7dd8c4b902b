"""The features of a recorded series at the times at which training judges it: also for training on one's own series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heap_exporter.detection.growth_history import GrowthHistory
from heap_exporter.detection.windows import WINDOW_LEVEL
from heap_exporter.model import Point

NEXT_AGE, MAX_STEP_WINDOWS = 1.22, 6.0
"""Factor between the ages of a run at which a series is judged for training, and the longest step between two."""

MIN_AGE = 0.2
"""Age in windows from which the ages grow by a factor."""

RISE_STEP_WINDOWS, MAX_OF_A_RISE = 0.5, 8
"""A rise to a new height is judged so often from its begin: a leak that begins late would be judged rarely then."""


class FeatureRow(NamedTuple):
    """The time of a judgement in seconds, the age of the run then in windows, and the features."""

    t_seconds: float
    age_windows: float
    features: list[float]


def feature_rows(points: Iterable[Point], window_seconds: float) -> Iterator[FeatureRow]:
    """Yield the features at the ages of each run at which training judges it."""
    history = GrowthHistory(window_seconds)
    next_age = next_rise_age = 0.0
    of_rise = 0
    for point in points:
        history.add(point)
        if history.has_begun:
            next_age = next_rise_age = 0.0
        if not history.is_due:
            continue
        age = history.run.windows
        is_wanted = age >= next_age
        if age >= next_rise_age:
            next_rise_age = age + RISE_STEP_WINDOWS
            of_rise = of_rise + 1 if _rises(history) else 0
            is_wanted = is_wanted or 0 < of_rise <= MAX_OF_A_RISE
        if is_wanted:
            next_age = min(max(age, MIN_AGE) * NEXT_AGE, age + MAX_STEP_WINDOWS)
            yield FeatureRow(point.t_seconds, age, history.features.vector())


def _rises(history: GrowthHistory) -> bool:
    growth = history.run.growth(WINDOW_LEVEL)
    return growth is not None and growth.is_steady and growth.above_highest > 0
