"""The made series of the corpus are the same each time, and what they say about themselves is true."""

from collections import Counter

import numpy as np
import pytest

from heap_exporter.model import Point
from training.corpus import FAMILIES, FOLDS, HEALTHY, LEAKING, Series, fold_of, made, made_series
from training.corpus.composition import family_of

SEED, COUNT = 11, 100


@pytest.fixture(scope="module")
def series() -> list[Series]:
    return list(made(SEED, COUNT))


def test_a_series_is_the_same_whatever_was_made_before(series: list[Series]) -> None:
    for index in (0, 17, COUNT - 1):
        again = made_series(SEED, index)

        assert again.name == series[index].name
        assert list(again.columns) == list(series[index].columns)
        assert all(again.columns[name].tobytes() == series[index].columns[name].tobytes() for name in again.columns)


def test_another_seed_makes_other_series(series: list[Series]) -> None:
    other = made_series(SEED + 1, 0)

    assert other.family == series[0].family
    assert other.columns["rss_bytes"].tobytes() != series[0].columns["rss_bytes"].tobytes()


def test_two_of_five_series_leak_and_all_families_have_the_same_share() -> None:
    shares = Counter(map(family_of, range(5_000)))

    assert sum(shares[name] for name in LEAKING) == 2_000
    assert max(shares[name] for name in LEAKING) - min(shares[name] for name in LEAKING) <= 1
    assert max(shares[name] for name in HEALTHY) - min(shares[name] for name in HEALTHY) <= 1
    assert set(shares) == set(FAMILIES)


def test_each_fold_leaves_out_leaking_and_healthy_families() -> None:
    assert sorted(name for names in FOLDS.values() for name in names) == sorted(FAMILIES)
    for fold, names in FOLDS.items():
        assert {name in LEAKING for name in names} == {True, False}
        assert {fold_of(name) for name in names} == {fold}


def test_a_series_leaks_if_its_family_does(series: list[Series]) -> None:
    assert [one.leaks for one in series] == [one.family in LEAKING for one in series]


def test_leaks_that_last_for_ten_hours_or_triple_the_process_are_named(series: list[Series]) -> None:
    shares = [one.lasts for one in series if one.leaks]

    assert 0.4 < np.mean(shares) < 0.9
    assert not any(one.lasts for one in series if not one.leaks)


def test_columns_are_whole_numbers_of_possible_sizes(series: list[Series]) -> None:
    for one in series:
        lengths = {len(column) for column in one.columns.values()}
        assert len(lengths) == 1, one.name
        for name, column in one.columns.items():
            known = column[~np.isnan(column)]
            assert (known >= 0).all(), (one.name, name)
            assert name == "t_seconds" or (known % 1 == 0).all(), (one.name, name)
        assert one.columns["rss_bytes"].max() < 2**37


def test_the_columns_are_those_of_points(series: list[Series]) -> None:
    one = max(series, key=lambda one: len(one.columns))
    points = list(one.points())

    assert set(one.columns) <= set(Point._fields)
    assert [point.rss_bytes for point in points] == one.columns["rss_bytes"].tolist()
    assert points[0].restart
    assert {type(point.heap_bytes) for point in points} == {int, type(None)}


def test_a_visible_leak_rises_at_its_rate(series: list[Series]) -> None:
    rates = []
    for one in series:
        rss, seconds = one.columns["rss_bytes"], one.columns["t_seconds"]
        restarts = one.columns["restart"].sum()
        if one.leaks and restarts == 1 and (one.visibility or 0) > 30:
            assert one.onset_seconds is not None
            assert one.bytes_per_hour is not None
            size = rss + one.columns.get("swap_bytes", 0)
            begin = size[np.searchsorted(seconds, one.onset_seconds) :][:20].min()
            rates.append((size[-20:].min() - begin) / (seconds[-1] - one.onset_seconds) * 3600 / one.bytes_per_hour)

    # A clock that is set, swapped memory that is not measured, and memory that was free before hide some of a leak.
    assert len(rates) >= 8
    assert np.mean([0.65 < rate < 1.35 for rate in rates]) >= 0.8


def test_a_leak_can_be_seen_some_time_after_its_onset(series: list[Series]) -> None:
    leaking = [one for one in series if one.onset_seconds is not None]

    assert all((one.visible_seconds or 0) >= (one.onset_seconds or 0) - 1 for one in leaking)
    assert {one.visible_seconds for one in series if not one.leaks} == {None}


def test_healthy_series_and_most_leaks_count_for_the_scores(series: list[Series]) -> None:
    shares = [one.counts for one in series if one.leaks]

    assert 0.4 < np.mean(shares) < 0.9
    assert all(one.counts for one in series if not one.leaks)
