"""The detector meets its targets on series that no threshold was tuned on."""

import pytest

from tests.corpus import made, recorded, score


@pytest.fixture(scope="module", params=[(3,), pytest.param((1, 3), marks=pytest.mark.long)], ids=str)
def found(request: pytest.FixtureRequest) -> list[score.Outcome]:
    """The outcomes at some seeds, and on the recorded series; `make score` runs all seeds."""
    return score.outcomes(request.param)


def test_every_target_is_met(found: list[score.Outcome]) -> None:
    missed = {name: value for name, (value, met) in score.targets(found).items() if not met}

    assert missed == {}


@pytest.mark.parametrize("kind", sorted(made.NEVER_CONFIRMED))
def test_a_shape_that_settles_soon_is_never_confirmed(kind: str, found: list[score.Outcome]) -> None:
    assert [one for one in found if one.kind == kind and one.confirmed_hours is not None] == []


def test_a_generated_series_is_the_same_each_time() -> None:
    first, again = made.series("leak under sawtooth", 3), made.series("leak under sawtooth", 3)

    assert list(first.points()) == list(again.points())


def test_the_corpus_has_enough_series() -> None:
    assert len(made.LEAKING) * score.SEEDS >= 120
    assert len(made.HEALTHY) * score.SEEDS >= 160


def test_a_recorded_leak_is_suspected_and_a_recorded_healthy_process_is_never_confirmed(
    found: list[score.Outcome],
) -> None:
    outcomes = [outcome for outcome in found if outcome.kind == "recorded"]
    wrong = [
        name
        for name, outcome in zip(recorded.names(), outcomes, strict=True)
        if (outcome.delay_minutes is None if outcome.leaks else outcome.confirmed_hours is not None)
    ]

    assert wrong == []
