"""Robust trends: properties that hold for every series."""

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.detection.trend import bucket_minima, fit_trend, theil_sen


def kendall_tau(values: Sequence[float]) -> float:
    """Return Kendall's tau of the values against their order, by its definition."""
    pairs = list(combinations(values, 2))
    return sum((later > earlier) - (later < earlier) for earlier, later in pairs) / len(pairs)


@given(st.floats(-1e6, 1e6), st.floats(-1e9, 1e9))
def test_the_slope_of_a_line_is_its_slope(per_second: float, start: float) -> None:
    line = [(float(at), start + per_second * at) for at in range(12)]

    assert abs(theil_sen(line) - per_second) <= 1e-6 * max(1.0, abs(per_second), abs(start))


@given(st.floats(0.1, 1e3), st.lists(st.integers(0, 11), max_size=3, unique=True), st.floats(0, 1e9))
def test_a_few_outliers_do_not_reverse_a_slope(per_second: float, spoiled: list[int], by: float) -> None:
    line = [(float(at), per_second * at + (by if at in spoiled else 0.0)) for at in range(12)]

    assert theil_sen(line) > 0


sizes_of_lows = st.lists(st.floats(-1e12, 1e12, allow_subnormal=False), min_size=6, max_size=30)


@given(sizes_of_lows)
def test_a_trend_has_the_slope_and_the_tau_of_its_lows(sizes: list[float]) -> None:
    series = [(float(at), size) for at, size in enumerate(sizes)]
    found = fit_trend(series)

    assert found is not None
    assert found.slope == theil_sen(series)
    assert found.tau == pytest.approx(kendall_tau(sizes))


@given(sizes_of_lows)
def test_tau_is_between_minus_one_and_one_and_changes_its_sign_with_the_order(sizes: list[float]) -> None:
    forwards = fit_trend([(float(at), size) for at, size in enumerate(sizes)])
    backwards = fit_trend([(float(at), size) for at, size in enumerate(reversed(sizes))])

    assert forwards is not None
    assert backwards is not None
    assert -1 <= forwards.tau <= 1
    assert backwards.tau == -forwards.tau


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(0, 1e12)), min_size=1, max_size=200))
def test_bucket_minima_are_values_of_the_series_in_order_of_time(series: list[tuple[float, float]]) -> None:
    found = bucket_minima(sorted(series), 0.0, 900.0)

    assert set(found) <= set(series)
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    assert min(value for _, value in found) == min(value for _, value in series)


def test_a_line_is_straight_to_its_end() -> None:
    line = fit_trend([(float(at), 5.0 * at) for at in range(16)])

    assert line is not None
    assert (line.noise, line.tau, line.head_ratio, line.tail_ratio) == (0.0, 1.0, 1.0, 1.0)
    assert line.bend == pytest.approx(0.0)
    assert line.drop == 0.0


def test_growth_that_levels_off_has_no_slope_at_its_end() -> None:
    line = fit_trend([(float(at), 10.0 * min(at, 10)) for at in range(16)])

    assert line is not None
    assert (line.head_ratio > 1, line.tail_ratio) == (True, 0.0)


def test_a_step_rises_in_jumps_only() -> None:
    step = fit_trend([(float(at), 100.0 * (at >= 8)) for at in range(16)])
    ramp = fit_trend([(float(at), 100.0 * at) for at in range(16)])

    assert step is not None
    assert ramp is not None
    assert step.jump_share == 1.0
    assert ramp.jump_share == 0.2


def test_too_few_lows_have_no_trend() -> None:
    assert fit_trend([(0.0, 1.0), (1.0, 2.0)]) is None


def test_an_empty_series_has_no_bucket_minima() -> None:
    assert bucket_minima([], 0.0, 900.0) == []
