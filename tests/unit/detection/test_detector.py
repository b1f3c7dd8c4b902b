"""The detector suspects steady growth soon, confirms growth that no cache explains, and ignores healthy shapes."""

import math
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heap_exporter.detection.detector import Detector
from heap_exporter.model import (
    Cause,
    DetectorThresholds,
    Finding,
    FindingKind,
    MemoryKind,
    MemoryTrend,
    Point,
    ReasonKind,
    State,
    Verdict,
)
from heap_exporter.report import reason_text
from heap_exporter.report.finding_text import finding_text
from tests import rows

MIB = 1 << 20
WINDOW = 900.0
THRESHOLDS = DetectorThresholds(window_seconds=WINDOW, growth_percent=0.5, min_slope_bytes_per_hour=8 * MIB)
INTERVAL = 15.0

Shape = Callable[[float], float]


def verdicts(points: Iterable[Point], thresholds: DetectorThresholds = THRESHOLDS) -> list[Verdict]:
    detector = Detector(thresholds)
    return [detector.observe(point) for point in points]


def points(shape: Shape, hours: float, interval: float = INTERVAL) -> list[Point]:
    """Return the samples of a process that has ``shape(hours)`` MiB."""
    steps = int(hours * 3600 / interval)
    return [Point(step * interval, int(shape(step * interval / 3600) * MIB)) for step in range(steps)]


def states(shape: Shape, hours: float = 2.0) -> list[State]:
    return [verdict.state for verdict in verdicts(points(shape, hours))]


def first_hour(shape: Shape, state: State, hours: float) -> float | None:
    """Return the hour at which a state is first taken; nothing after it is judged."""
    detector = Detector(THRESHOLDS)
    taken = (point for point in points(shape, hours) if detector.observe(point).state is state)
    return next((point.t_seconds / 3600 for point in taken), None)


def noise(seed: int, spread: float) -> Shape:
    rng = random.Random(seed)
    return lambda _: rng.gauss(0, spread)


def first(found: list[State], state: State) -> float:
    """Return the hour at which a state is first taken."""
    return found.index(state) * INTERVAL / 3600


def episodes(found: list[State]) -> int:
    on = [state in (State.SUSPECTED, State.CONFIRMED) for state in found]
    return sum(later and not earlier for earlier, later in zip([False, *on], on, strict=False))


@pytest.mark.parametrize("per_hour", [30, 60, 600, 6000])
def test_a_steady_leak_is_suspected_soon_after_the_first_window_and_stays_so(per_hour: float) -> None:
    found = states(lambda hour: 200 + per_hour * hour)

    assert first(found, State.SUSPECTED) <= 0.3
    assert episodes(found) == 1


@pytest.mark.parametrize("base", [40, 200, 2048])
def test_a_leak_that_begins_late_under_noise_is_suspected_within_twenty_minutes(base: float) -> None:
    jitter = noise(1, 0.5)

    found = states(lambda hour: base + 60 * max(hour - 3, 0) + jitter(hour), 5)

    assert 3 <= first(found, State.SUSPECTED) <= 3.34


def test_the_warm_up_counts_up_with_each_point() -> None:
    seen = [verdict.reasons[0].values["seen_seconds"] for verdict in verdicts(points(lambda _: 100, 0.2))]

    assert seen == [step * INTERVAL for step in range(len(seen))]


def test_a_leak_under_a_short_sawtooth_is_suspected() -> None:
    assert State.SUSPECTED in states(lambda hour: 200 + 120 * hour + 20 * (hour * 80 % 1))


JITTER = noise(2, 2.0)

CALM: dict[str, Shape] = {
    "flat": lambda hour: 200.0,
    "noise": lambda hour: 200 + JITTER(hour),
    "short sawtooth": lambda hour: 200 + 30 * (hour * 30 % 1),
    "step": lambda hour: 200.0 if hour < 0.6 else 260.0,
    "falling": lambda hour: 400 - 60 * hour,
    "cache with a time constant of 3 minutes": lambda hour: 200 + 100 * (1 - math.exp(-hour * 20)),
    "warm-up of 5 minutes": lambda hour: 100 + 100 * min(hour * 12, 1),
    "one large request": lambda hour: 200 + 500 * (0.9 < hour < 0.95),
}


@pytest.mark.parametrize("shape", CALM.values(), ids=CALM)
def test_a_calm_shape_is_never_suspected(shape: Shape) -> None:
    assert episodes(states(shape, 4)) == 0


HEALTHY: dict[str, Shape] = {  # the load of a day that begins in the morning is by its shape a leak: docs/detection.md
    "long sawtooth": lambda hour: 200 + 100 * (hour / 2 % 1),
    "daily load": lambda hour: 300 + 150 * math.sin(2 * math.pi * hour / 24 + 1.2) + JITTER(hour),
    "LRU that fills for four hours": lambda hour: 200 + 200 * min(hour / 4, 1),
    "cache with a time constant of two hours": lambda hour: 200 + 300 * (1 - math.exp(-hour / 2)),
    "batch job each three hours": lambda hour: 200 + 400 * min(hour % 3, 1) * (hour % 3 < 1.2),
}


@pytest.mark.parametrize("days", rows.first(1, [1, 2]))
@pytest.mark.parametrize("shape", HEALTHY.values(), ids=HEALTHY)
def test_a_healthy_shape_that_resembles_a_leak_is_suspected_twice_a_day_at_most_and_never_confirmed(
    shape: Shape, days: int
) -> None:
    found = states(shape, 24 * days)

    assert episodes(found) <= 2 * days
    assert State.CONFIRMED not in found


def test_a_slow_leak_is_confirmed_within_a_day() -> None:
    assert first_hour(lambda hour: 500 + 8 * hour, State.CONFIRMED, 24) is not None


def test_a_leak_that_gains_speed_is_confirmed_as_soon_as_a_straight_one() -> None:
    straight = first_hour(lambda hour: 500 + 15 * hour, State.CONFIRMED, 24)

    assert straight is not None
    assert first_hour(lambda hour: 500 + 15 * hour + 0.2 * hour**2, State.CONFIRMED, straight) is not None


@pytest.mark.parametrize("begin", rows.first(1, [18, 0, 3, 6, 9, 12, 15, 21]))
def test_the_first_day_of_a_smooth_daily_load_is_never_confirmed(begin: float) -> None:
    found = states(lambda hour: 600 + 180 * math.sin(2 * math.pi * (hour + begin) / 24), 26)

    assert State.CONFIRMED not in found


@pytest.mark.long
def test_a_heap_that_settles_more_and_more_slowly_is_never_confirmed() -> None:
    found = states(lambda hour: 500 + 10 * math.log1p(hour), 72)

    assert State.CONFIRMED not in found


def test_a_huge_leak_is_confirmed_sooner() -> None:
    assert first(states(lambda hour: 200 + 3000 * hour, 2), State.CONFIRMED) <= 1.5


def test_a_leak_that_multiplies_the_process_is_confirmed_within_three_quarters_of_an_hour() -> None:
    assert first(states(lambda hour: 100 + 3000 * hour, 1), State.CONFIRMED) <= 0.75


@pytest.mark.parametrize("minutes", [10, 20, 30])
def test_a_load_of_data_within_half_an_hour_is_never_confirmed_however_large(minutes: float) -> None:
    assert State.CONFIRMED not in states(lambda hour: 100 + 4000 * min(hour * 60 / minutes, 1), 6)


def runs(shape: Shape, each: float, hours: float) -> list[State]:
    """Return the states over runs of ``each`` hours, in each of which the process has ``shape(hours)`` MiB."""
    return [
        verdict.state
        for verdict in verdicts(
            point._replace(restart=point.t_seconds % (each * 3600) == 0)
            for point in points(lambda hour: shape(hour % each), hours)
        )
    ]


def test_a_leak_that_ends_at_the_limit_again_and_again_is_confirmed_in_its_third_run() -> None:
    assert first(runs(lambda hour: 300 + 60 * hour, 3, 9), State.CONFIRMED) <= 9


def test_a_leak_that_kills_within_three_minutes_is_confirmed_in_its_third_run() -> None:
    found = runs(lambda hour: 100 + 8000 * hour, 0.05, 0.25)

    assert 0.1 <= first(found, State.CONFIRMED) <= 0.15


@pytest.mark.parametrize("time_constant", rows.first(1, [0.6, 0.3, 1.2]))
def test_a_cache_that_each_run_fills_anew_is_never_confirmed(time_constant: float) -> None:
    assert State.CONFIRMED not in runs(lambda hour: 300 + 200 * (1 - math.exp(-hour / time_constant)), 1.5, 24)


def test_a_warm_up_after_each_restart_is_seldom_suspected() -> None:
    series = [
        point._replace(restart=point.t_seconds % 7200 == 0)
        for point in points(lambda hour: 200 + 200 * min(hour % 2 * 2, 1), 24)
    ]

    assert episodes([verdict.state for verdict in verdicts(series)]) <= 12 / 4


def test_before_the_first_window_has_been_seen_the_state_is_warming_up() -> None:
    assert set(states(lambda hour: 200 + 3600 * hour, hours=0.24)) == {State.WARMING_UP}


def test_a_cache_that_fills_ends_as_a_plateau_then_as_steady() -> None:
    found = states(lambda hour: 200 + 100 * min(hour, 1), 6)

    assert State.PLATEAUED in found
    assert found[-1] is State.STEADY


def test_a_clock_that_is_set_back_begins_a_new_run() -> None:
    detector = Detector(THRESHOLDS)
    for point in points(lambda hour: 200 + 60 * hour, 1):
        detector.observe(point)

    assert detector.observe(Point(5.0, 200 * MIB)).state is State.WARMING_UP


def test_a_verdict_has_its_numbers_and_its_reasons() -> None:
    series = [point._replace(limit_bytes=1024 * MIB) for point in points(lambda hour: 200 + 60 * hour, 1)]
    verdict = verdicts(series)[-1]

    assert verdict.state is State.SUSPECTED
    assert verdict.trends[0].kind is MemoryKind.TOTAL
    assert verdict.trends[0].slope_bytes_per_second == pytest.approx(60 * MIB / 3600, rel=0.05)
    assert verdict.tail_ratio == pytest.approx(1, abs=0.1)
    assert verdict.seconds_to_limit == pytest.approx((1024 - 260) / 60 * 3600, rel=0.05)
    assert 0 < verdict.confidence < 1
    kinds = [reason.kind for reason in verdict.reasons]
    assert kinds[0] is ReasonKind.GREW
    assert ReasonKind.TIME_TO_LIMIT in kinds
    assert len(reason_text.sentences(verdict)) == len(kinds) <= 5


@pytest.mark.parametrize("minutes", [1, 7, 10, 20, 60])
def test_a_field_that_is_read_seldom_does_not_count_as_level(minutes: int) -> None:
    series = []
    for point in points(lambda hour: 200 + 60 * hour, 4):
        gained = point.rss_bytes - 200 * MIB
        known = point._replace(anonymous_bytes=point.rss_bytes, allocated_blocks=1_000_000 + gained // 64)
        if point.t_seconds % (60 * minutes) == 0:
            known = known._replace(
                heap_bytes=120 * MIB + gained, n_objects=500_000 + gained // 100,
                malloc_used_bytes=20 * MIB, malloc_retained_bytes=MIB,
                pymalloc_used_bytes=100 * MIB + gained, pymalloc_retained_bytes=MIB,
            )  # fmt: skip  # values of one census
        series.append(known)
    found = [verdict for verdict in verdicts(series) if verdict.is_suspicion]

    assert {verdict.cause for verdict in found} == {Cause.PYTHON_OBJECTS}
    slopes = {trend for verdict in found for trend in verdict.trends}
    assert MemoryTrend(MemoryKind.PYTHON, 0.0) not in slopes


def test_a_finding_that_confirms_counts_at_once() -> None:
    series = points(lambda hour: 200 + 60 * hour, 1)
    finding = Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS)
    *_, before, after = verdicts([*series, Point(3600.0, 260 * MIB, finding=finding)])

    assert before.state is State.SUSPECTED
    assert (after.state, after.cause, after.finding) == (State.CONFIRMED, Cause.PYTHON_OBJECTS, finding)
    assert reason_text.summary(after) == finding_text(finding)


def test_a_finding_that_clears_ends_the_suspicion_until_growth_is_clearly_new() -> None:
    series = points(lambda hour: 200 + 60 * hour, 4)
    series[120] = series[120]._replace(finding=Finding(FindingKind.CLEARS_BOUNDED_CACHE))
    found = verdicts(series)

    assert found[119].state is State.SUSPECTED
    assert (found[120].state, found[120].finding) == (State.GROWING, series[120].finding)
    assert {verdict.state for verdict in found[120:300]} == {State.GROWING}
    assert found[-1].state is State.SUSPECTED


def test_file_pages_that_grow_are_reported_and_never_suspected() -> None:
    series = [
        Point(step * INTERVAL, (200 + step) * MIB, anonymous_bytes=150 * MIB, file_bytes=(50 + step) * MIB)
        for step in range(480)
    ]
    verdict = verdicts(series)[-1]

    assert (verdict.state, verdict.cause) == (State.GROWING, Cause.FILE_OR_SHARED)


def test_a_point_without_private_memory_is_not_growth() -> None:
    series = [
        Point(step * INTERVAL, 900 * MIB, anonymous_bytes=None if step % 7 == 0 else 150 * MIB) for step in range(480)
    ]

    assert {verdict.state for verdict in verdicts(series)} == {State.WARMING_UP, State.STEADY}


def test_a_series_gets_the_same_verdicts_each_time() -> None:
    jitter = noise(3, 3.0)
    series = points(lambda hour: 200 + 30 * hour + jitter(hour), 4)

    assert verdicts(series) == verdicts(series)


@pytest.mark.long
@settings(max_examples=settings().max_examples // 4)  # each judges half a day twice
@given(st.sampled_from([1 / 64, 1 / 8, 2.0, 4.0]), st.sampled_from([0.0, 30.0, 200.0]), st.integers(0, 99))
def test_a_longer_window_judges_a_stretched_series_alike(scale: float, per_hour: float, seed: int) -> None:
    jitter = noise(seed, 1.0)
    series = points(lambda hour: 200 + per_hour * hour + jitter(hour), 10)
    scaled = DetectorThresholds(WINDOW * scale, 0.5, 8 * MIB / scale)

    found = verdicts((point._replace(t_seconds=point.t_seconds * scale) for point in series), scaled)

    assert [verdict.state for verdict in found] == [verdict.state for verdict in verdicts(series)]


any_bytes = st.none() | st.integers(0, 1 << 62)
any_points = st.builds(
    Point,
    t_seconds=st.floats(-1e9, 1e9),
    rss_bytes=st.integers(0, 1 << 62),
    heap_bytes=any_bytes,
    anonymous_bytes=any_bytes,
    swap_bytes=any_bytes,
    file_bytes=any_bytes,
    shmem_bytes=any_bytes,
    n_objects=any_bytes,
    allocated_blocks=any_bytes,
    gc_gen2_collections=any_bytes,
    malloc_used_bytes=any_bytes,
    limit_bytes=any_bytes,
    restart=st.booleans(),
    finding=st.none() | st.builds(Finding, st.sampled_from(FindingKind)),
)


@given(st.lists(any_points, max_size=60))
def test_no_sample_makes_the_detector_fail(series: list[Point]) -> None:
    for verdict in verdicts(series):
        assert 0 <= verdict.confidence <= 1


@settings(max_examples=settings().max_examples // 2)  # each judges 600 samples
@given(st.integers(0, 1 << 32), st.booleans())
def test_gaps_uneven_intervals_unknown_fields_and_findings_do_no_harm(seed: int, leaks: bool) -> None:
    rng = random.Random(seed)
    at, series = rng.uniform(0, 1e6), []
    begun = at
    for _ in range(600):
        at += rng.uniform(5, 60) if rng.random() < 0.99 else rng.uniform(600, 90_000)
        size = 200 + (at - begun) / 60 * leaks + (1e6 if rng.random() < 0.01 else 0)
        series.append(
            Point(
                at,
                int(size * MIB),
                heap_bytes=None if rng.random() < 0.7 else int(size * MIB / 2),
                anonymous_bytes=None if rng.random() < 0.2 else int(size * MIB / 2),
                finding=Finding(FindingKind.CLEARS_IN_FLIGHT) if rng.random() < 0.01 else None,
                restart=rng.random() < 0.003,
            )
        )

    for verdict in verdicts(series):
        assert verdict.reasons
        assert verdict.seconds_to_limit is None
