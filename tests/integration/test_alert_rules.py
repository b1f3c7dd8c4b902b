"""promtool checks the alert rules: their syntax, their texts, and when they fire on each shape of memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from alerts.tests import table
from alerts.tests.expectations import (
    CLEARED,
    CONFIRMED,
    CONFIRMED_BY_SNAPSHOTS,
    GROWTH,
    HEALTHY,
    LEAKS,
    PROBLEMS,
    SHAPES,
    Shape,
)
from alerts.tests.table import ALERTS_FOLDER, PARTS, RULES, RUNBOOK, markdown, table_in
from alerts.tests.unit_test_file import Fired, first_fired
from heap_exporter.alerting import AlertThresholds, render_rules

MUST_FIRE = (*LEAKS, *PROBLEMS)
MUST_NOT_FIRE = (*CLEARED, *HEALTHY)
NEW_LEAK, LATE_LEAK = "a new process leaks 60 MiB/h", "an old process begins to leak 60 MiB/h at minute 300"


def _quick() -> set[str]:
    """Return the shortest shape for each set of alerts in each part of the table, and each fifth healthy shape."""
    kinds: dict[tuple[str, frozenset[str]], Shape] = {}
    for title, shapes in PARTS.items():
        for shape in sorted(shapes, key=lambda shape: shape.minutes):
            kinds.setdefault((title, frozenset(shape.fires)), shape)
    shapes_of_kinds = [shape.sentence for shape in (*kinds.values(), *HEALTHY[::5])]
    return {*shapes_of_kinds, CONFIRMED_BY_SNAPSHOTS.sentence, NEW_LEAK, LATE_LEAK}


QUICK = _quick()


def _each(shapes: Iterable[Shape]) -> pytest.MarkDecorator:
    """Run a test on each shape: on the quick ones in `make test`, on the others in `make test-long`."""
    params = [
        pytest.param(shape, id=shape.sentence, marks=() if shape.sentence in QUICK else pytest.mark.long)
        for shape in shapes
    ]
    return pytest.mark.parametrize("shape", params)


EVERY_SHAPE = _each(SHAPES)


def run_promtool(promtool: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_the_committed_rules_pass_every_lint(promtool: Path) -> None:
    checked = run_promtool(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("seconds", [5, 13.7, 15, 100, 10_800])
def test_rules_of_any_window_pass_every_lint(promtool: Path, tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "rules.yml"
    short = AlertThresholds(window_seconds=seconds, hold_seconds=seconds, sample_interval_seconds=seconds / 20)
    path.write_text(render_rules(short))

    checked = run_promtool(promtool, "check", "rules", "--lint=all", "--lint-fatal", path)

    assert checked.returncode == 0, checked.stderr


def test_alerts_fire_in_their_minute_with_their_texts(promtool: Path) -> None:
    tested = run_promtool(promtool, "test", "rules", ALERTS_FOLDER / "tests" / "messages.yaml")

    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.fixture(scope="module")
def fired(promtool: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Fired:
    """The alerts that fire on the quick shapes, or on all shapes if a long test runs, by promtool."""
    runs_long = any(item.path == request.path and item.get_closest_marker("long") for item in request.session.items)
    shapes = [shape for shape in SHAPES if runs_long or shape.sentence in QUICK]
    return first_fired(promtool, RULES, shapes, tmp_path_factory.mktemp("shapes"))


@EVERY_SHAPE
def test_without_the_detector_each_alert_first_fires_in_its_minute_on(shape: Shape, fired: Fired) -> None:
    assert fired.rules_alone[shape.sentence] == shape.fires


@EVERY_SHAPE
def test_with_the_detector_alerts_fire_on_leaks_and_not_on_healthy_shapes_as_on(shape: Shape, fired: Fired) -> None:
    judged = set(fired.with_detector[shape.sentence]) - {CONFIRMED}

    assert judged >= set(shape.fires) if shape in MUST_FIRE else judged <= set(shape.fires)
    assert shape not in MUST_NOT_FIRE or not judged


@EVERY_SHAPE
def test_with_the_detector_no_alert_fires_sooner_than_without_it_on(shape: Shape, fired: Fired) -> None:
    judged = fired.with_detector[shape.sentence]

    assert all(minute >= shape.fires[alert] for alert, minute in judged.items() if alert != CONFIRMED)


@_each([*PROBLEMS, *MUST_NOT_FIRE])
def test_no_leak_is_confirmed_on(shape: Shape, fired: Fired) -> None:
    assert CONFIRMED not in fired.with_detector[shape.sentence]


def test_two_snapshots_confirm_a_leak_within_45_minutes(fired: Fired) -> None:
    assert fired.with_detector[CONFIRMED_BY_SNAPSHOTS.sentence][CONFIRMED] <= 45


@pytest.mark.long
def test_a_straight_leak_is_confirmed_by_its_shape_alone_within_half_a_day(fired: Fired) -> None:
    assert CONFIRMED in fired.with_detector["a leak of 60 MiB/h with no memory limit"]


def test_a_leak_of_60_mib_per_hour_raises_an_alert_within_45_minutes_with_the_detector(fired: Fired) -> None:
    assert fired.with_detector[NEW_LEAK][GROWTH] <= 45
    assert fired.with_detector[LATE_LEAK][GROWTH] - 300 <= 45


@pytest.mark.long
def test_the_table_of_the_runbook_has_these_results(fired: Fired) -> None:
    assert table_in(RUNBOOK.read_text()) == markdown(fired), "run `make alerts-table`"


def test_the_table_of_the_runbook_has_these_results_on_the_quick_shapes(
    fired: Fired, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {title: [shape for shape in shapes if shape.sentence in QUICK] for title, shapes in PARTS.items()}
    monkeypatch.setattr(table, "PARTS", parts)

    missing = set(markdown(fired).splitlines()) - set(table_in(RUNBOOK.read_text()).splitlines())
    assert not missing, "run `make alerts-table`"
