"""The runs of a process before this one: a leak that ends at the memory limit again and again grows alike in each."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from heap_exporter.detection.trend import median
from heap_exporter.detection.windows import Growth, ProcessRun

MAX_RUNS = 8
"""Earlier runs that count."""

SHORT_WINDOWS = 2.0
"""Median age of short runs in windows, at most."""


class EndedRun(NamedTuple):
    """A run that ended: its age in windows, and its growth, unknown if it was too short for a trend."""

    windows: float
    growth: Growth | None


class RunSummary(NamedTuple):
    """What the earlier runs have in common; a value is NaN where no run was long enough to know it.

    ``ended`` is the number of runs, ``judged`` of those with a trend, ``windows`` their median age. ``slope`` is their
    median slope in bytes per second and ``spread`` the largest slope to the smallest, as a logarithm; ``relative``,
    ``tau`` and ``tail_ratio`` are medians; ``end_spread`` is the difference of the sizes at their ends, as a share of
    the largest; ``highest`` is the largest size at an end.
    """

    ended: int
    judged: int
    windows: float
    slope: float
    spread: float
    relative: float
    tau: float
    tail_ratio: float
    end_spread: float
    highest: float

    @property
    def short(self) -> int:
        """Return the number of earlier runs if they were short, so that this one may end soon too; else 0."""
        return self.ended if self.windows < SHORT_WINDOWS else 0


NO_RUNS = RunSummary(0, 0, *[math.nan] * 8)


class EarlierRuns:
    """The last runs of a process, as far as they are needed to judge the one that follows."""

    def __init__(self) -> None:
        self._runs: deque[EndedRun] = deque(maxlen=MAX_RUNS)
        self.summary = NO_RUNS

    def add(self, run: ProcessRun) -> None:
        """Add a run that has ended."""
        self._runs.append(EndedRun(run.windows, run.whole()))
        self.summary = _summary(self._runs)


def _summary(runs: deque[EndedRun]) -> RunSummary:
    growths = [run.growth for run in runs if run.growth is not None]
    windows = median(run.windows for run in runs)
    if not growths:
        return NO_RUNS._replace(ended=len(runs), windows=windows)
    slopes = [growth.slope for growth in growths]
    ends = [growth.trend.last for growth in growths]
    positive = min(slopes) > 0
    return RunSummary(
        ended=len(runs),
        judged=len(growths),
        windows=windows,
        slope=median(slopes),
        spread=math.log(max(slopes) / min(slopes)) if positive else 10.0,
        relative=median(growth.trend.gained / max(growth.trend.first, 1.0) for growth in growths),
        tau=median(growth.trend.tau for growth in growths),
        tail_ratio=median(growth.trend.tail_ratio for growth in growths),
        end_spread=(max(ends) - min(ends)) / max(*ends, 1.0),
        highest=max(ends),
    )
