"""What is expected of the alerts on each shape; the integration tests hold the rules and the runbook's table to it."""

from __future__ import annotations

from alerts.tests.expectations import AMBIGUOUS, EXHAUSTION, GROWTH, HEALTHY, KNOWN_BETTER, LEAK, LEAKS, SHAPES
from alerts.tests.judged import verdict_series
from alerts.tests.shapes import Process, ramp
from alerts.tests.table import table_in
from tests.unit.alerting.rule_file import RUNBOOK_PATH


def test_every_shape_has_a_row_in_the_runbook() -> None:
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table_in(RUNBOOK_PATH.read_text()).splitlines()]

    assert [row for row in rows[2:] if not row.startswith("**")] == [shape.sentence for shape in SHAPES], (
        "run `make alerts-table`"
    )


def test_the_verdicts_beside_a_shape_are_those_of_the_detector_under_the_labels_of_the_catalogue() -> None:
    series = verdict_series(Process(memory=ramp(600)), "shop", "shop-1", 60)

    warming_up = series['python_heap_leak_state{job="shop", instance="shop-1", state="warming-up"}']
    suspected = [curve for name, curve in series.items() if name.startswith("python_heap_leak_suspected{")]
    assert warming_up(5) == 1
    assert [sum(curve(minute) for curve in suspected) for minute in (5, 45)] == [0, 1]


def test_every_shape_is_a_sentence_of_its_own() -> None:
    sentences = [shape.sentence for shape in SHAPES]

    assert len(set(sentences)) == len(sentences) >= 24


def test_on_a_leak_of_60_mib_an_hour_the_15_minute_alert_is_expected_within_45_minutes() -> None:
    expected = {shape.sentence: shape.fires for shape in LEAKS}

    assert expected["a new process leaks 60 MiB/h"][GROWTH] <= 45
    assert expected["an old process begins to leak 60 MiB/h at minute 300"][GROWTH] - 300 <= 45


def test_on_healthy_shapes_nothing_is_expected() -> None:
    assert not any(shape.fires for shape in HEALTHY)


def test_every_leak_is_expected_to_be_seen() -> None:
    assert all(shape.fires for shape in LEAKS)


def test_on_shapes_that_only_time_can_tell_nobody_is_woken_without_need() -> None:
    pages = {shape.sentence for shape in AMBIGUOUS if EXHAUSTION in shape.fires}
    tickets = {shape.sentence for shape in AMBIGUOUS if LEAK in shape.fires}

    assert pages == {"a cache fills up to the memory limit"}
    assert tickets == {"the first day of a service with a daily wave"}


def test_what_the_detector_knows_to_be_healthy_would_be_reported_without_it() -> None:
    assert all(shape.fires for shape in KNOWN_BETTER)
