"""The recorded part of the corpus: series of real processes, sampled by the probes of the product.

Each ran in accelerated time (``python -m tests.corpus.record``) with scaled timestamps; ``truth.json`` has whether and
how fast each program leaks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heap_exporter.model import Point
from heap_exporter.recording.series_reader import read_series

FOLDER = Path(__file__).parent / "recorded"
TRUTH = FOLDER / "truth.json"


@dataclass(frozen=True)
class Recorded:
    """One recorded process; ``onset_hours`` is when its leak begins, None if it is healthy."""

    name: str
    onset_hours: float | None
    per_hour: float

    @property
    def leaks(self) -> bool:
        return self.onset_hours is not None

    def points(self) -> Iterator[Point]:
        return read_series(FOLDER / f"{self.name}.csv.gz")


def names() -> list[str]:
    return sorted(json.loads(TRUTH.read_text())) if TRUTH.exists() else []


def series(name: str) -> Recorded:
    truth = json.loads(TRUTH.read_text())[name]
    return Recorded(name, truth["onset_hours"], truth["per_hour"])
