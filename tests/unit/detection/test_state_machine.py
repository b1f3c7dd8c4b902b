"""States begin and end at different probabilities; evidence outweighs them; a restart or a gap confirms nothing."""

from __future__ import annotations

import pytest

from heap_exporter.detection.growth_history import GrowthHistory
from heap_exporter.detection.state_machine import GrowthStateMachine, Judgement, StateThresholds
from heap_exporter.detection.trend import fit_trend
from heap_exporter.detection.windows import Growth
from heap_exporter.model import Cause, DetectorThresholds, Finding, FindingKind, Point, State

MIB = 1 << 20
THRESHOLDS = DetectorThresholds(window_seconds=900.0, growth_percent=1.0, min_slope_bytes_per_hour=8 * MIB)
STATES = StateThresholds(suspected=0.3, not_suspected=0.1, confirmed=0.8, confirming_windows=0.05, more_each_time=1.0)
NATIVE = Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.NATIVE)
CACHE = Finding(FindingKind.CLEARS_BOUNDED_CACHE)


def growth(windows: float = 1.0, first: float = 200.0, per_bucket: float = 1.0) -> Growth:
    trend = fit_trend([(float(at), (first + per_bucket * at) * MIB) for at in range(16)])
    assert trend is not None
    return Growth(windows, trend, windows * 900.0)


def judgement(probability: float, at: float = 0.0, **more: object) -> Judgement:
    values = {
        "growths": (growth(),),
        "age_windows": 4.0,
        "earlier_runs": 0,
        "short_runs": 0,
        "is_trusted": True,
        **more,
    }
    return Judgement(at=at, probability=probability, **values)  # type: ignore[arg-type]  # values of one test


def machine(*judgements: Judgement) -> GrowthStateMachine:
    made = GrowthStateMachine(THRESHOLDS, STATES)
    for each in judgements:
        made.update(each)
    return made


def states(*probabilities: float) -> list[State]:
    made = GrowthStateMachine(THRESHOLDS, STATES)
    found = []
    for at, probability in enumerate(probabilities):
        made.update(judgement(probability, 60.0 * at))
        found.append(made.state())
    return found


def test_a_suspicion_begins_at_one_probability_and_ends_at_a_lower_one() -> None:
    assert states(0.2, 0.4, 0.2, 0.05, 0.2) == [
        State.GROWING, State.SUSPECTED, State.SUSPECTED, State.GROWING, State.GROWING,
    ]  # fmt: skip  # one order


def test_a_probability_must_stay_high_to_confirm() -> None:
    assert states(0.9, 0.5, 0.9, 0.9)[1:] == [State.SUSPECTED, State.SUSPECTED, State.CONFIRMED]


def test_a_high_probability_may_fall_a_little() -> None:
    assert states(0.9, 0.76, 0.9)[-1] is State.CONFIRMED
    assert states(0.9, 0.7, 0.9)[-1] is State.SUSPECTED


def test_in_the_first_four_windows_of_a_run_a_leak_needs_a_higher_probability() -> None:
    def outcome(probability: float, **run: object) -> State:
        return machine(*(judgement(probability, 60.0 * at, **run) for at in range(2))).state()

    assert outcome(0.9, age_windows=2.9) is State.SUSPECTED
    assert outcome(0.98, age_windows=2.9) is State.CONFIRMED
    assert outcome(0.9, age_windows=2.9, earlier_runs=2) is State.CONFIRMED


def test_after_a_suspicion_that_ended_the_next_one_needs_more() -> None:
    assert states(0.4, 0.05, 0.4, 0.6)[2:] == [State.GROWING, State.SUSPECTED]


def test_a_suspicion_that_a_restart_ended_counts_as_one_that_ended() -> None:
    made = machine(judgement(0.4))
    made.restart()
    made.update(judgement(0.4, 60.0))
    again = made.state()
    made.update(judgement(0.6, 120.0))

    assert (again, made.state()) == (State.GROWING, State.SUSPECTED)


@pytest.mark.parametrize(
    "untrusted",
    [{"is_trusted": False}, {"age_windows": 0.5}, {"growths": ()}],
    ids=["after a gap", "in a young run", "without a trend"],
)
def test_nothing_is_confirmed(untrusted: dict[str, object]) -> None:
    made = machine(*(judgement(0.99, 60.0 * at, **untrusted) for at in range(9)))

    assert made.state() is not State.CONFIRMED


def test_a_young_run_is_judged_once_two_runs_came_before() -> None:
    made = machine(*(judgement(0.99, 60.0 * at, age_windows=0.1, short_runs=2) for at in range(3)))

    assert made.state() is State.CONFIRMED


def test_evidence_of_a_native_cause_confirms_at_once() -> None:
    made = machine(judgement(0.1))
    made.apply(NATIVE)

    assert made.state() is State.CONFIRMED


def test_evidence_that_clears_ends_a_confirmed_leak_until_clearly_more_has_grown() -> None:
    made = machine(*(judgement(0.99, 60.0 * at) for at in range(3)))
    made.apply(CACHE)
    made.update(judgement(0.99, 300.0))
    cleared = made.state()
    for at in range(3):
        made.update(judgement(0.99, 900.0 + 60 * at, growths=(growth(first=260.0),)))

    assert (cleared, made.state()) == (State.GROWING, State.CONFIRMED)


def test_a_confirmed_leak_ends_when_the_growth_has_levelled_off() -> None:
    made = machine(*(judgement(0.99, 60.0 * at) for at in range(3)))
    made.update(judgement(0.99, 9000.0, growths=(growth(), growth(4.0, per_bucket=0.1))))

    assert made.state() is not State.CONFIRMED


def test_growth_that_does_not_matter_is_not_suspected() -> None:
    assert machine(judgement(0.99, growths=(growth(per_bucket=0.01),))).state() is State.STEADY


def test_growth_is_judged_every_fourth_sample_and_at_once_when_one_is_unusual() -> None:
    history, due = GrowthHistory(900.0), []
    for sample in range(200):
        history.add(Point(15.0 * sample, (300 if sample == 151 else 200) * MIB))
        due.append(history.is_due)

    assert 19 <= sum(due[70:150]) <= 22
    assert due[151]


def trusted_after(*points: Point) -> float:
    """Return from which time on a leak may be confirmed after these points, in windows after the last one."""
    history = GrowthHistory(900.0)
    for step in range(400):
        history.add(Point(15.0 * step, 200 * MIB, heap_bytes=100 * MIB))
    for point in points:
        history.add(point)
    return (history.trusted_from - points[-1].t_seconds) / 900.0


def test_a_restart_a_gap_and_a_column_that_disappears_delay_a_confirmation() -> None:
    at = 400 * 15.0
    without_heap = [Point(at + 15.0 * step, 200 * MIB) for step in range(70)]

    assert trusted_after(Point(at, 200 * MIB)) < 0
    assert trusted_after(Point(at, 900 * MIB, restart=True)) > 0
    assert trusted_after(Point(at + 3600, 900 * MIB)) == 1
    assert trusted_after(Point(10.0, 900 * MIB)) > 0
    assert trusted_after(*without_heap) > 0.5
