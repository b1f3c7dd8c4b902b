"""The features of the series of a corpus, as the detector would compute them, at some times of each series."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heap_exporter.detection.feature_rows import feature_rows
from heap_exporter.detection.features import NAMES
from heap_exporter.model import Point

USUAL_WINDOW = 900.0
ONSET_SECONDS = 600.0
"""A leak counts as one from so long after its onset, with the usual window."""

MAX_SAMPLES = 6_000
"""Longer series lose samples evenly, which saves time."""


@dataclass
class Judgements:
    """The judgements of one series: times in seconds, features (one row each) and labels, 1 for a leak.

    Trees are not trained on rows from the onset of a leak to ``visible_seconds``: nothing shows it yet. ``counts`` is
    false for a leak whose shape cannot be known; it does not count for the scores.
    """

    name: str
    family: str
    onset_seconds: float | None
    bytes_per_hour: float
    window_seconds: float
    seconds: float
    times: NDArray[np.float64]
    features: NDArray[np.float32]
    visible_seconds: float | None = None
    counts: bool = True

    @property
    def leaks(self) -> bool:
        return self.onset_seconds is not None

    @property
    def labels(self) -> NDArray[np.float64]:
        onset = self.onset_seconds
        if onset is None:
            return np.zeros(len(self.times))
        return (self.times >= onset + ONSET_SECONDS * self.window_seconds / USUAL_WINDOW).astype(float)

    @property
    def are_clear(self) -> NDArray[np.bool_]:
        """Return which rows are of a healthy process, or of a leak that can be seen."""
        if self.visible_seconds is None:
            return np.ones(len(self.times), bool)
        found: NDArray[np.bool_] = (self.labels == 0) | (self.times >= self.visible_seconds)
        return found


def thinned(points: Iterable[Point]) -> list[Point]:
    """Return at most about :data:`MAX_SAMPLES` points of a series, evenly, and the first point of each run."""
    found = list(points)
    step = len(found) // MAX_SAMPLES + 1
    return [point for place, point in enumerate(found) if place % step == 0 or point.restart]


def judgements(
    name: str,
    family: str,
    points: Sequence[Point],
    *,
    window_seconds: float,
    onset_seconds: float | None,
    bytes_per_hour: float | None,
    visible_seconds: float | None = None,
    counts: bool = True,
) -> Judgements:
    """Return the judgements of one series."""
    found = list(feature_rows(points, window_seconds))
    return Judgements(
        name=name,
        family=family,
        onset_seconds=onset_seconds,
        bytes_per_hour=bytes_per_hour or 0.0,
        window_seconds=window_seconds,
        seconds=points[-1].t_seconds - points[0].t_seconds,
        times=np.array([row.t_seconds for row in found]),
        features=np.array([row.features for row in found], dtype=np.float32).reshape(len(found), len(NAMES)),
        visible_seconds=visible_seconds,
        counts=counts,
    )


def read_features(path: Path) -> list[Judgements]:
    """Return the judgements in the output of ``heap-exporter replay --features``, one for each ``file`` in it.

    A further column ``leaks`` has 1 in the rows in which the process leaks.
    """
    by_file: dict[str, list[dict[str, str]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            by_file.setdefault(row["file"], []).append(row)
    return [_of_rows(name, rows) for name, rows in by_file.items()]


def _of_rows(name: str, rows: list[dict[str, str]]) -> Judgements:
    times = np.array([float(row["t_seconds"]) for row in rows])
    leaking = [float(row["t_seconds"]) for row in rows if row["leaks"].strip() == "1"]
    return Judgements(
        name=name,
        family="own",
        onset_seconds=leaking[0] - ONSET_SECONDS if leaking else None,
        bytes_per_hour=0.0,
        window_seconds=USUAL_WINDOW,
        seconds=float(times[-1] - times[0]),
        times=times,
        features=np.array([[float(row[name] or "nan") for name in NAMES] for row in rows], dtype=np.float32),
    )
