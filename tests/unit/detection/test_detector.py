"""The detector suspects what keeps growing and is silent on everything that fills, swings, steps or settles."""

import math
import random
from collections.abc import Callable

import pytest

from heap_exporter.detection.detector import Thresholds, judge, top_grower
from heap_exporter.detection.history import History
from heap_exporter.model import Census, Detail, Grower, Kind, Malloc, ProcessMemory, Reading, Sample, State, TypeCount

MIB = 1 << 20
WINDOW = 900.0
THRESHOLDS = Thresholds(window_seconds=WINDOW, growth_percent=2.0, min_slope_bytes_per_hour=8 * MIB)
INTERVAL = 15.0


def reading(at: float, size: float, heap: float | None = None, malloc: float | None = None) -> Reading:
    memory = ProcessMemory(int(size), int(size), 0, 0, int(size), 0, 1)
    census = None if heap is None else Census(at, 0.0, 0.0, 0.0, "portable", (TypeCount("x", 1, int(heap)),), ())
    return Reading(
        started_at=0.0,
        process_started_at=0.0,
        sample=Sample(at, at, 0.0, memory, None, 1000),
        detail=Detail(malloc=None if malloc is None else Malloc(int(malloc), 0)),
        census=census,
    )


def states(shape: Callable[[float], float], hours: float = 1.5) -> list[State]:
    """Return the state at every sample of a process that has ``shape(seconds)`` MiB."""
    history, found = History(10_000), []
    for step in range(int(hours * 3600 / INTERVAL)):
        at = step * INTERVAL
        history.add(reading(at, shape(at) * MIB))
        found.append(judge(history, (), at, THRESHOLDS).state)
    return found


def noise(seed: int, amplitude: float) -> Callable[[float], float]:
    return lambda at: random.Random(seed * 1_000_003 + int(at)).gauss(0, amplitude)


@pytest.mark.parametrize("per_hour", [30, 60, 600])
def test_a_steady_leak_is_suspected_soon_after_the_first_window(per_hour: float) -> None:
    found = states(lambda at: 200 + per_hour * at / 3600)

    assert found.index(State.SUSPECTED) * INTERVAL <= WINDOW + 60
    assert set(found[found.index(State.SUSPECTED) :]) == {State.SUSPECTED}


def test_a_leak_under_noise_is_suspected() -> None:
    jitter = noise(1, 1.0)

    assert State.SUSPECTED in states(lambda at: 200 + 60 * at / 3600 + jitter(at))


def test_a_leak_under_a_sawtooth_is_suspected() -> None:
    assert State.SUSPECTED in states(lambda at: 200 + 120 * at / 3600 + 20 * (at % 45) / 45)


JITTER = noise(2, 2.0)

HEALTHY: dict[str, Callable[[float], float]] = {
    "flat": lambda at: 200.0,
    "noise": lambda at: 200 + JITTER(at),
    "short sawtooth": lambda at: 200 + 30 * (at % 120) / 120,
    "step": lambda at: 200.0 if at < 2000 else 260.0,
    "falling": lambda at: 400 - 60 * at / 3600,
    "cache with a time constant of 3 minutes": lambda at: 200 + 100 * (1 - math.exp(-at / 180)),
    "warm-up of 5 minutes": lambda at: 100 + 100 * min(at / 300, 1),
    "slow drift below the floor that matters": lambda at: 200 + 6 * at / 3600,
}


@pytest.mark.parametrize("shape", HEALTHY.values(), ids=HEALTHY)
def test_nothing_is_suspected_of_a_healthy_shape(shape: Callable[[float], float]) -> None:
    assert State.SUSPECTED not in states(shape)


def test_before_a_window_has_been_seen_there_is_only_warming_up() -> None:
    assert set(states(lambda at: 200 + at, hours=0.2)) == {State.WARMING_UP}


def test_a_cache_that_fills_ends_as_a_plateau_then_as_steady() -> None:
    found = states(lambda at: 200 + 100 * min(at / 650, 1))

    assert State.PLATEAUED in found
    assert found[-1] is State.STEADY


def test_a_clock_that_is_set_back_begins_a_new_history() -> None:
    history = History(100)
    for at in (1000.0, 1015.0, 500.0, 515.0):
        history.add(reading(at, 200 * MIB))

    assert [point.taken_at for point in history.points()] == [500.0, 515.0]


def test_without_memory_figures_the_verdict_is_warming_up() -> None:
    history = History(100)
    history.add(Reading(started_at=0.0, process_started_at=None, sample=Sample(0.0, None, 0.0, None, None, None)))

    assert judge(history, (), 0.0, THRESHOLDS).state is State.WARMING_UP


def suspected_kinds(heap_per_hour: float, malloc_per_hour: float, growers: tuple[Grower, ...]) -> set[Kind]:
    history = History(1000)
    for step in range(62):
        at = step * INTERVAL
        rise = 100 * MIB * at / 3600
        history.add(reading(at, 200 * MIB + rise, heap_per_hour * rise, malloc_per_hour * rise))
    return {trend.kind for trend in judge(history, growers, at, THRESHOLDS).trends if trend.suspected}


def test_growth_that_the_census_explains_is_pythons() -> None:
    assert suspected_kinds(0.8, 0.1, ()) == {Kind.TOTAL, Kind.PYTHON}


def test_growth_of_malloc_without_growing_objects_is_native() -> None:
    assert suspected_kinds(0.0, 0.9, ()) == {Kind.TOTAL, Kind.NATIVE}


def test_growth_of_malloc_beside_growing_objects_is_pythons() -> None:
    assert suspected_kinds(0.1, 0.9, (Grower("shop.Session", 100, 5 * MIB),)) == {Kind.TOTAL, Kind.PYTHON}


def test_a_grower_that_explains_nothing_does_not_hide_a_native_leak() -> None:
    assert suspected_kinds(0.0, 0.9, (Grower("shop.Session", 100, 17_000),)) == {Kind.TOTAL, Kind.NATIVE}


def test_time_in_which_nobody_looked_is_no_part_of_the_window() -> None:
    history = History(1000)
    for step in range(62):
        at = step * INTERVAL + (600.0 if step > 20 else 0.0)
        history.add(reading(at, 100 * MIB + step * MIB))
        if at < 600 + WINDOW:
            assert judge(history, (), at, THRESHOLDS).state is State.WARMING_UP


def test_the_time_to_the_limit_is_told_while_growing_and_only_then() -> None:
    history = History(1000)
    for step in range(62):
        history.add(reading(step * INTERVAL, 100 * MIB + step * MIB))
    verdict = judge(history, (), 61 * INTERVAL, THRESHOLDS, limit_bytes=200 * MIB)

    assert verdict.seconds_to_limit == pytest.approx(39 * INTERVAL, rel=0.1)
    assert judge(history, (), 61 * INTERVAL, THRESHOLDS).seconds_to_limit is None


def test_the_type_named_is_the_applications_own() -> None:
    growers = (Grower("dict", 100, 9000), Grower("shop.Session", 100, 500), Grower("abc.ABCMeta", 1, 10))

    assert top_grower(growers) == growers[1]
    assert top_grower((growers[0], growers[2])) == growers[0]
    assert top_grower(growers[:1]) == growers[0]
    assert top_grower(()) is None


def test_the_verdict_names_the_growing_type_in_words() -> None:
    history = History(1000)
    for step in range(62):
        history.add(reading(step * INTERVAL, 100 * MIB + step * MIB))
    verdict = judge(history, (Grower("shop.Session", 4821, 61 * MIB),), 61 * INTERVAL, THRESHOLDS)

    assert "shop.Session (+4,821 objects, +61.0 MiB)" in " ".join(verdict.reasons)
