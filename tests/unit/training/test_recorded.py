"""The recorded series of the corpus are many, small and labelled."""

import numpy as np
import pytest

from training.corpus import Series, recorded
from training.corpus.recorded import FOLDER


@pytest.fixture(scope="module")
def series() -> list[Series]:
    return list(recorded())


def test_there_are_60_series_leaking_and_healthy(series: list[Series]) -> None:
    assert len(series) >= 60
    assert 0.3 < np.mean([one.leaks for one in series]) < 0.7


def test_the_files_are_small_and_each_has_its_truth(series: list[Series]) -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.glob("*.csv.gz")}

    assert sorted(sizes) == sorted(f"{one.name}.csv.gz" for one in series)
    assert max(sizes.values()) < 100_000
    assert sum(sizes.values()) < 3_000_000


def test_a_series_is_some_windows_long(series: list[Series]) -> None:
    windows = [np.ptp(one.columns["t_seconds"]) / one.window_seconds for one in series]

    assert min(windows) >= 10


def test_a_leak_grows_from_its_onset_on(series: list[Series]) -> None:
    for one in series:
        if one.leaks:
            assert one.onset_seconds is not None
            assert one.onset_seconds < one.columns["t_seconds"][-1]
            assert (one.bytes_per_hour or 0) > 1 << 20, one.name


def test_processes_that_were_restarted_are_one_series(series: list[Series]) -> None:
    assert sum(one.columns["restart"].sum() > 2 for one in series) >= 8
