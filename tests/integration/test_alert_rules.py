"""promtool checks the alert rules: their syntax, their texts, and when they fire on each shape of memory."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from alerts.tests.expectations import (
    CLEARED,
    CONFIRMED,
    CONFIRMED_BY_SNAPSHOTS,
    EXHAUSTION,
    GROWTH,
    HEALTHY,
    LEAKS,
    PROBLEMS,
    SHAPES,
    Shape,
)
from alerts.tests.shapes import HOUR, Process, flat, ramp, total
from alerts.tests.table import ALERTS_FOLDER, PARTS, RULES, RUNBOOK, fired_in, markdown, table_in
from alerts.tests.unit_test_file import (
    Fired,
    first_fired,
    promtool_environ,
    service_test,
    write_unit_test_files,
)
from heap_exporter.alerting import AlertThresholds, render_rules
from tests.servers.install import NEWEST, RELEASES, Release
from tests.servers.versions import version

MUST_FIRE = (*LEAKS, *PROBLEMS)
MUST_NOT_FIRE = (*CLEARED, *HEALTHY)
NEW_LEAK, LATE_LEAK = "a new process leaks 60 MiB/h", "an old process begins to leak 60 MiB/h at minute 300"
BEGIN_OF_LEAK = {NEW_LEAK: 0, LATE_LEAK: 300}
FLAT = "memory is flat"


def _quick() -> set[str]:
    """Return a shape of at most half a day for each set of alerts in each part of the table, and some healthy ones."""
    chosen = {CONFIRMED_BY_SNAPSHOTS.sentence, NEW_LEAK, LATE_LEAK, *(shape.sentence for shape in HEALTHY[::7])}
    kinds: dict[tuple[str, frozenset[str]], Shape] = {}
    for title, shapes in PARTS.items():
        for shape in sorted(shapes, key=lambda shape: (shape.sentence not in chosen, shape.minutes)):
            if shape.minutes <= 12 * HOUR:
                kinds.setdefault((title, frozenset(shape.fires)), shape)
    return {*chosen, *(shape.sentence for shape in kinds.values())}


QUICK = {
    release: _quick() if release is NEWEST else {CONFIRMED_BY_SNAPSHOTS.sentence, FLAT} for release in RELEASES.values()
}
"""The shapes of `make test`: an older release differs from the newest one only in where a range begins."""


def _each(shapes: Iterable[Shape]) -> pytest.MarkDecorator:
    """Run a test on each shape with each release: on the quick ones in `make test`, on all in `make test-long`."""
    params = [
        pytest.param(
            release,
            shape,
            id=f"{name}-{shape.sentence}",
            marks=() if shape.sentence in QUICK[release] else pytest.mark.long,
        )
        for name, release in RELEASES.items()
        for shape in shapes
    ]
    return pytest.mark.parametrize(("release", "shape"), params, indirect=["release"], scope="module")


EVERY_SHAPE = _each(SHAPES)


def run_promtool(promtool: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [promtool, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=promtool_environ())


def test_the_committed_rules_pass_every_lint(promtool: Path) -> None:
    checked = run_promtool(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("seconds", [5, 13.7, 15, 100, 10_800])
def test_rules_of_any_window_pass_every_lint(promtool: Path, tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "rules.yml"
    short = AlertThresholds(window_seconds=seconds, hold_seconds=seconds, interval_seconds=seconds / 20)
    path.write_text(render_rules(short))

    checked = run_promtool(promtool, "check", "rules", "--lint=all", "--lint-fatal", path)

    assert checked.returncode == 0, checked.stderr


def test_alerts_fire_in_their_minute_with_their_texts(promtool: Path) -> None:
    tested = run_promtool(promtool, "test", "rules", ALERTS_FOLDER / "tests" / "messages.yaml")

    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_exhaustion_is_predicted_in_the_same_minute_however_many_workers_share_the_memory(
    promtool: Path, tmp_path: Path, workers: int
) -> None:
    together = total(flat(700), ramp(240))
    worker = Process(memory=lambda t: together(t) / workers, limit=1024)
    path = tmp_path / "service.yaml"
    path.write_text(json.dumps(service_test(RULES, worker, workers, 41, EXHAUSTION)))

    tested = run_promtool(promtool, "test", "rules", path)

    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.fixture(scope="module")
def fired_by_release() -> dict[Release, Fired]:
    """What promtool of each release has found: pytest does not run all tests of a release in succession."""
    return {}


@pytest.fixture(scope="module")
def fired(
    release: Release,
    promtool: Path,
    fired_by_release: dict[Release, Fired],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Fired:
    """The alerts that fire by promtool on the quick shapes, or on all shapes if a long test runs."""
    if release not in fired_by_release:
        runs_long = any(item.path == request.path and item.get_closest_marker("long") for item in request.session.items)
        shapes = [shape for shape in SHAPES if runs_long or shape.sentence in QUICK[release]]
        files = write_unit_test_files(RULES, shapes, tmp_path_factory.mktemp("shapes"))
        fired_by_release[release] = first_fired(promtool, files)
    return fired_by_release[release]


@pytest.fixture(scope="module")
def tolerance(promtool: Path) -> int:
    """The minutes by which an alert may differ from the table, which is computed by Prometheus 3.

    In Prometheus 2 a range has the sample at its start too, so that growth is steady a little later.
    """
    number = version(promtool)
    return 0 if number is None or number >= (3, 0) else 2


@EVERY_SHAPE
def test_without_the_detector_each_alert_first_fires_in_its_minute_on(
    shape: Shape, fired: Fired, tolerance: int
) -> None:
    assert fired.rules_alone[shape.sentence] == pytest.approx(shape.fires, abs=tolerance)


@EVERY_SHAPE
def test_the_table_of_the_runbook_has_the_minutes_of(shape: Shape, fired: Fired, tolerance: int) -> None:
    in_runbook = fired_in(table_in(RUNBOOK.read_text()))

    for minutes, written in zip(fired, in_runbook, strict=True):
        assert minutes[shape.sentence] == pytest.approx(written[shape.sentence], abs=tolerance), (
            "run `make alerts-table`"
        )


@EVERY_SHAPE
def test_with_the_detector_alerts_fire_on_leaks_and_not_on_healthy_shapes_as_on(shape: Shape, fired: Fired) -> None:
    judged = set(fired.with_detector[shape.sentence]) - {CONFIRMED}

    assert judged >= set(shape.fires) if shape in MUST_FIRE else judged <= set(shape.fires)
    assert shape not in MUST_NOT_FIRE or not judged


@EVERY_SHAPE
def test_with_the_detector_no_alert_fires_sooner_than_without_it_on(shape: Shape, fired: Fired) -> None:
    judged, alone = fired.with_detector[shape.sentence], fired.rules_alone[shape.sentence]

    own = {CONFIRMED, EXHAUSTION}  # the detector confirms, and the exhaustion of a service is computed from its slopes
    assert all(minute >= alone[alert] for alert, minute in judged.items() if alert not in own)


@_each([*PROBLEMS, *MUST_NOT_FIRE])
def test_no_leak_is_confirmed_on(shape: Shape, fired: Fired) -> None:
    assert CONFIRMED not in fired.with_detector[shape.sentence]


def test_two_snapshots_confirm_a_leak_within_45_minutes(fired: Fired) -> None:
    assert fired.with_detector[CONFIRMED_BY_SNAPSHOTS.sentence][CONFIRMED] <= 45


@pytest.mark.long
def test_a_straight_leak_is_confirmed_by_its_shape_alone_within_half_a_day(fired: Fired) -> None:
    assert CONFIRMED in fired.with_detector["a leak of 60 MiB/h with no memory limit"]


@_each([CONFIRMED_BY_SNAPSHOTS, *(shape for shape in LEAKS if shape.sentence in BEGIN_OF_LEAK)])
def test_with_the_detector_an_alert_fires_within_45_minutes_of_the_begin_of(shape: Shape, fired: Fired) -> None:
    assert fired.with_detector[shape.sentence][GROWTH] - BEGIN_OF_LEAK.get(shape.sentence, 0) <= 45


def test_the_table_of_the_runbook_has_all_shapes_in_its_order_and_form() -> None:
    in_runbook = table_in(RUNBOOK.read_text())

    assert markdown(fired_in(in_runbook)) == in_runbook, "run `make alerts-table`"
