"""promtool judges the alert rules: their syntax, their words, and when they fire on which shape of memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from alerts.tests import table
from alerts.tests.expectations import (
    CONFIRMED,
    GROWTH,
    HEALTHY,
    KNOWN_BETTER,
    LEAKS,
    PROVEN,
    SHAPES,
    TROUBLE,
    Shape,
)
from alerts.tests.table import ALERTS_FOLDER, PARTS, RULES, RUNBOOK, markdown, table_in
from alerts.tests.unit_test_file import Fired, first_fired
from heap_exporter.alerting import AlertThresholds, render_rules

NOTHING_LOST = (*LEAKS, *TROUBLE)
NOTHING_FIRED = (*KNOWN_BETTER, *HEALTHY)
NEW_LEAK, LATE_LEAK = "a new process leaks 60 MiB/h", "an old process begins to leak 60 MiB/h at minute 300"


def _quick() -> set[str]:
    """Return one shape for each set of alerts in each part of the table, the shortest, and each fifth healthy one."""
    kinds: dict[tuple[str, frozenset[str]], Shape] = {}
    for title, shapes in PARTS.items():
        for shape in sorted(shapes, key=lambda shape: shape.minutes):
            kinds.setdefault((title, frozenset(shape.fires)), shape)
    shapes_of_kinds = [shape.sentence for shape in (*kinds.values(), *HEALTHY[::5])]
    return {*shapes_of_kinds, PROVEN.sentence, NEW_LEAK, LATE_LEAK}


QUICK = _quick()


def _each(shapes: Iterable[Shape]) -> pytest.MarkDecorator:
    """Run a test on each of the shapes: on the quick ones in `make test`, on all others in `make test-long`."""
    params = [
        pytest.param(shape, id=shape.sentence, marks=() if shape.sentence in QUICK else pytest.mark.long)
        for shape in shapes
    ]
    return pytest.mark.parametrize("shape", params)


EVERY_SHAPE = _each(SHAPES)


def say(promtool: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *words], capture_output=True, text=True, timeout=120, check=False)


def test_the_committed_rules_pass_every_lint(promtool: Path) -> None:
    checked = say(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("seconds", [5, 13.7, 15, 100, 10_800])
def test_rules_of_any_window_pass_every_lint(promtool: Path, tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "rules.yml"
    short = AlertThresholds(window_seconds=seconds, hold_seconds=seconds, sample_interval_seconds=seconds / 20)
    path.write_text(render_rules(short))

    checked = say(promtool, "check", "rules", "--lint=all", "--lint-fatal", path)

    assert checked.returncode == 0, checked.stderr


def test_alerts_say_what_they_should_in_their_minute_and_nothing_before(promtool: Path) -> None:
    tested = say(promtool, "test", "rules", ALERTS_FOLDER / "tests" / "messages.yaml")

    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.fixture(scope="module")
def fired(promtool: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Fired:
    """What promtool finds on the quick shapes, or on all where a long test runs."""
    runs_long = any(item.path == request.path and item.get_closest_marker("long") for item in request.session.items)
    shapes = [shape for shape in SHAPES if runs_long or shape.sentence in QUICK]
    return first_fired(promtool, RULES, shapes, tmp_path_factory.mktemp("shapes"))


@EVERY_SHAPE
def test_where_nobody_hears_the_detector_alerts_fire_in_their_minute_and_in_none_before_on(
    shape: Shape, fired: Fired
) -> None:
    assert fired.alone[shape.sentence] == shape.fires


@EVERY_SHAPE
def test_with_the_detector_growth_alerts_fire_as_the_part_of_the_shape_wants_on(shape: Shape, fired: Fired) -> None:
    judged = set(fired.judged[shape.sentence]) - {CONFIRMED}

    assert judged >= set(shape.fires) if shape in NOTHING_LOST else judged <= set(shape.fires)
    assert shape not in NOTHING_FIRED or not judged


@EVERY_SHAPE
def test_with_the_detector_no_alert_fires_sooner_than_without_it_on(shape: Shape, fired: Fired) -> None:
    judged = fired.judged[shape.sentence]

    assert all(minute >= shape.fires[alert] for alert, minute in judged.items() if alert != CONFIRMED)


@_each([*TROUBLE, *NOTHING_FIRED])
def test_nothing_is_confirmed_on(shape: Shape, fired: Fired) -> None:
    assert CONFIRMED not in fired.judged[shape.sentence]


def test_a_leak_that_two_snapshots_prove_is_confirmed_long_before_its_shape_is(fired: Fired) -> None:
    assert fired.judged[PROVEN.sentence][CONFIRMED] <= 45


@pytest.mark.long
def test_a_straight_leak_is_confirmed_by_its_shape_alone_in_half_a_day(fired: Fired) -> None:
    assert CONFIRMED in fired.judged["a leak of 60 MiB/h with no memory limit"]


def test_a_leak_of_60_mib_an_hour_is_told_of_within_45_minutes_with_the_detector_too(fired: Fired) -> None:
    assert fired.judged[NEW_LEAK][GROWTH] <= 45
    assert fired.judged[LATE_LEAK][GROWTH] - 300 <= 45


@pytest.mark.long
def test_the_runbook_shows_what_fires_when(fired: Fired) -> None:
    assert table_in(RUNBOOK.read_text()) == markdown(fired), "run `make alerts-table`"


def test_the_runbook_shows_what_fires_when_on_the_quick_shapes(fired: Fired, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {title: [shape for shape in shapes if shape.sentence in QUICK] for title, shapes in PARTS.items()}
    monkeypatch.setattr(table, "PARTS", parts)

    missing = set(markdown(fired).splitlines()) - set(table_in(RUNBOOK.read_text()).splitlines())
    assert not missing, "run `make alerts-table`"
