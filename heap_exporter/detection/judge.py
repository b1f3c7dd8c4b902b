"""Judges a running process: runs the detector on its points, and adds the types that grow to the verdict."""

from __future__ import annotations

from heap_exporter.detection.detector import Detector, DetectorThresholds
from heap_exporter.detection.growing_types import TypeHistory, with_growing_types
from heap_exporter.model import Census, GrowingType, Point, Verdict


class Judge:
    """Judges the points of one process, and names the types that grow. ``detections`` counts the suspicions.

    ``growing_types`` are the types that grew within the window by the last census, most bytes first.
    """

    def __init__(self, thresholds: DetectorThresholds) -> None:
        self.detections = 0
        self.growing_types: tuple[GrowingType, ...] = ()
        self._detector = Detector(thresholds)
        self._types = TypeHistory(thresholds.window_seconds)
        self._was_suspicion = False

    def judge(self, point: Point, census: Census | None = None) -> Verdict:
        """Return the verdict as of ``point``; ``census`` is the one that was taken with it, if any."""
        if census is not None:
            self._types.add(census)
            self.growing_types = self._types.growing_types()
        verdict = with_growing_types(self._detector.observe(point), self.growing_types)
        self.detections += verdict.is_suspicion and not self._was_suspicion
        self._was_suspicion = verdict.is_suspicion
        return verdict
