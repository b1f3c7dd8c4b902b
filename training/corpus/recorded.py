"""The recorded part of the corpus: series of real programs, sampled by the probes of the product."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from heap_exporter.recording.csv_format import NUMBERS
from heap_exporter.recording.series_reader import read_series
from training.corpus.series import Series

FOLDER = Path(__file__).parents[1] / "recordings"
TRUTH = FOLDER / "truth.json"

RECORDING_KEPT = 4
"""Every so many recordings are kept from training, for the scores."""


def recorded() -> Iterator[Series]:
    """Yield the recorded series, in the order of their names."""
    if not TRUTH.exists():
        return
    for index, (name, truth) in enumerate(sorted(json.loads(TRUTH.read_text()).items())):
        rows = [list(point[: len(NUMBERS)]) for point in read_series(FOLDER / f"{name}.csv.gz")]
        values = np.array(rows, dtype=float).T  # None becomes NaN
        columns = {each: column for each, column in zip(NUMBERS, values, strict=True) if not np.isnan(column).all()}
        yield Series(
            name=name,
            family=f"recorded: {truth['family']}",
            seed=0,
            index=index,
            columns=columns,
            window_seconds=truth["window_seconds"],
            interval_seconds=truth["interval_seconds"],
            onset_seconds=truth["onset_seconds"],
            bytes_per_hour=truth["bytes_per_hour"],
        )


def recording_is_kept(recording: Series) -> bool:
    """Return whether a recording is kept from training."""
    return recording.index % RECORDING_KEPT == RECORDING_KEPT - 1
