"""Judges a living process: keeps what its readings say, has it judged, and names the types that grow."""

from __future__ import annotations

import math

from heap_exporter.detection.detector import Detector, DetectorThresholds
from heap_exporter.detection.growing_types import TypeHistory, with_growing_types
from heap_exporter.detection.history import History, point
from heap_exporter.model import Census, Detail, Finding, GrowingType, Point, Reading, Verdict


class Judge:
    """Makes a point of each reading, keeps the newest ones, and judges them. ``detections`` counts suspicions.

    At least ``max_samples`` points are kept, and those of a window in any case.
    """

    def __init__(self, thresholds: DetectorThresholds, interval_seconds: float, max_samples: int) -> None:
        self.history = History(max(max_samples, math.ceil(thresholds.window_seconds / interval_seconds)))
        self.detections = 0
        self._detector = Detector(thresholds)
        self._types = TypeHistory(thresholds.window_seconds)
        self._finding: Finding | None = None

    def add_census(self, census: Census) -> tuple[GrowingType, ...]:
        """Take note of a census, and return the types that grew within the window, most bytes first."""
        self._types.add(census)
        return self._types.growing_types()

    def add_finding(self, finding: Finding | None) -> None:
        """Have what the evidence says judged with the next reading."""
        self._finding = finding or self._finding

    def judge(self, reading: Reading, before: Reading) -> tuple[Point | None, Verdict | None]:
        """Return the point of a reading and the verdict as of now; ``before`` tells which slow readings are old."""
        made = self._point(reading, before)
        if made is None:
            return None, before.verdict
        self.history.add(made)
        self._finding = None
        verdict = with_growing_types(self._detector.observe(made), self._types.growing_types())
        if verdict.is_suspicion and not (before.verdict and before.verdict.is_suspicion):
            self.detections += 1
        return made, verdict

    def _point(self, reading: Reading, before: Reading) -> Point | None:
        if reading.sample is None:
            return None
        limits = reading.detail.limits
        return point(
            reading.sample,
            reading.detail if _is_new(reading.detail, before.detail) else None,
            reading.census if reading.census is not before.census else None,
            limit_bytes=limits.limit_bytes if limits else None,
            restart=not self.history.points(),
            finding=self._finding,
        )


def _is_new(detail: Detail, before: Detail) -> bool:
    """Return whether slow readings were taken: limits alone are read with every sample."""
    return any(getattr(detail, name) is not getattr(before, name) for name in ("malloc", "pymalloc", "shares"))
