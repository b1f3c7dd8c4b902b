"""One series of the corpus."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heap_exporter.model import Point
from heap_exporter.recording.csv_format import NUMBERS

Array = NDArray[np.float64]

LASTING_WINDOWS = 40.0

CLEAR_VISIBILITY = 5.0
"""Visibility of a leak that no other growth of its process hides."""


@dataclass(frozen=True)
class Series:
    """The samples of one service, which may be several processes one after another, and whether it leaks.

    ``columns`` have the names of recorded series (``docs/replay.md``): bytes, counts and seconds, as whole numbers but
    for the times; NaN is a value that was not measured. A series has ``t_seconds`` and ``rss_bytes`` at least.
    ``backgrounds`` are the shapes below the leak or the healthy event that ``family`` names. ``onset_seconds`` is the
    time of ``t_seconds`` at which the leak begins, and ``bytes_per_hour`` its mean rate from then on; both are ``None``
    for a healthy service. ``visibility`` is what the leak gains in one process, divided by the standard deviation of
    everything else; ``visible_seconds`` the time from which it can be seen. Both are ``None`` where that is unknown.
    """

    name: str
    family: str
    seed: int
    index: int
    columns: Mapping[str, Array]
    window_seconds: float
    interval_seconds: float
    backgrounds: tuple[str, ...] = ()
    onset_seconds: float | None = None
    bytes_per_hour: float | None = None
    visibility: float | None = None
    visible_seconds: float | None = None

    @property
    def leaks(self) -> bool:
        return self.onset_seconds is not None

    @property
    def lasts(self) -> bool:
        """Return whether a leak differs from a cache that fills by its length: it lasts for 40 windows, or triples.

        What triples is the resident memory of a process between the onset and its end. ``False`` for healthy series.
        """
        if self.onset_seconds is None or self.bytes_per_hour is None:
            return False
        times, sizes = self.columns["t_seconds"], self.columns["rss_bytes"]
        if times[-1] - self.onset_seconds >= LASTING_WINDOWS * self.window_seconds:
            return True
        leaking = sizes[times >= self.onset_seconds]
        return bool(len(leaking) and leaking.max() >= 3 * leaking.min())

    @property
    def counts(self) -> bool:
        """Return whether the scores count it: it is healthy, or a leak whose shape can be known.

        Such a leak lasts, and nothing else is known to hide it.
        """
        is_hidden = self.visibility is not None and self.visibility < CLEAR_VISIBILITY
        return not self.leaks or (self.lasts and not is_hidden)

    @property
    def days(self) -> float:
        """Return the time from the first sample to the last one, in days of 96 windows."""
        times = self.columns["t_seconds"]
        return float(times[-1] - times[0]) / (96 * self.window_seconds)

    def points(self) -> Iterator[Point]:
        """Yield the samples as points for the detector."""
        times = self.columns["t_seconds"].tolist()
        lists = {name: _whole(self.columns[name]) for name in NUMBERS if name in self.columns and name != "t_seconds"}
        lists["restart"] = [bool(value) for value in lists.get("restart", [0] * len(times))]
        for t_seconds, *values in zip(times, *lists.values(), strict=True):
            yield Point(t_seconds, **dict(zip(lists, values, strict=True)))


def _whole(column: Array) -> list[int | None]:
    return [None if math.isnan(value) else int(value) for value in column.tolist()]
