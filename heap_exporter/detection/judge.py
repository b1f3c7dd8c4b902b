"""Judges a running process: runs the detector on its points, and adds the types that grow to the verdict."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from heap_exporter.detection.detector import Detector
from heap_exporter.detection.growing_types import TypeHistory, with_growing_types
from heap_exporter.detection.reasons import with_reason
from heap_exporter.model import (
    Cause,
    Census,
    DetectorThresholds,
    GrowingType,
    Point,
    Reason,
    ReasonKind,
    StepKind,
    Verdict,
)
from heap_exporter.runtime.python_bugs import collects_in_increments

_OTHER_CAUSES = (ReasonKind.COLLECTOR_OFF, ReasonKind.IN_GARBAGE)
"""Reasons for uncollected cycles that are not a bug of a Python version."""


class Judge:
    """Judges the points of one process, and names the types that grow. ``detections`` counts the suspicions.

    ``growing_types`` are the types that grew within the window by the last census, most bytes first.
    """

    def __init__(self, thresholds: DetectorThresholds, python_version: Sequence[object] = sys.version_info) -> None:
        self._collects_in_increments = collects_in_increments(python_version)
        self.detections = 0
        self.growing_types: tuple[GrowingType, ...] = ()
        self._detector = Detector(thresholds)
        self._types = TypeHistory(thresholds.window_seconds)
        self._was_suspicion = False

    def add_earlier_runs(self, runs: Sequence[Sequence[Point]]) -> None:
        """Add the points of the runs of the process before this one, oldest first, before any point is judged."""
        for points in runs:
            self._detector.add_earlier_run(points)

    def judge(self, point: Point, census: Census | None = None) -> Verdict:
        """Return the verdict as of ``point``; ``census`` is the one that was taken with it, if any."""
        if census is not None:
            self._types.add(census)
            self.growing_types = self._types.growing_types()
        verdict = self._detector.observe(point)
        if self._collects_in_increments and _has_uncollected_cycles(verdict):
            verdict = with_reason(verdict, Reason(ReasonKind.INCREMENTAL_COLLECTOR))
        verdict = with_growing_types(verdict, self.growing_types)
        self.detections += verdict.is_suspicion and not self._was_suspicion
        self._was_suspicion = verdict.is_suspicion
        return verdict


def _has_uncollected_cycles(verdict: Verdict) -> bool:
    """Return whether cycles accumulate that an enabled garbage collector could free, by the verdict or its finding."""
    if not verdict.is_suspicion or any(reason.kind in _OTHER_CAUSES for reason in verdict.reasons):
        return False
    accumulation = verdict.finding.accumulation if verdict.finding else None
    is_garbage = accumulation is not None and accumulation.path[:1] and accumulation.path[0].kind is StepKind.GARBAGE
    return bool(is_garbage) or verdict.cause is Cause.UNCOLLECTED_CYCLES
