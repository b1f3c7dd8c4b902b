"""The expectations for each shape are complete; the integration tests check the rules and the runbook against them."""

from __future__ import annotations

from alerts.tests.detector_verdicts import verdict_series
from alerts.tests.expectations import AMBIGUOUS, CLEARED, EXHAUSTION, GROWTH, HEALTHY, LEAK, LEAKS, SHAPES
from alerts.tests.shapes import Process, ramp
from alerts.tests.table import table_in
from tests.unit.alerting.rule_file import RUNBOOK_PATH

OF_WORKER = 'job="shop", instance="shop-1", service="shop", worker="3"'


def test_every_shape_has_a_row_in_the_runbook() -> None:
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table_in(RUNBOOK_PATH.read_text()).splitlines()]

    assert [row for row in rows[2:] if not row.startswith("**")] == [shape.sentence for shape in SHAPES], (
        "run `make alerts-table`"
    )


def test_the_verdicts_on_a_shape_are_those_of_the_detector_with_the_labels_of_the_metrics() -> None:
    series = verdict_series(Process(memory=ramp(600)), "shop", "3", 60)

    warming_up = series[f'python_heap_leak_state{{{OF_WORKER}, state="warming-up"}}']
    suspected = [curve for name, curve in series.items() if name.startswith("python_heap_leak_suspected{")]
    assert warming_up(5) == 1
    assert [sum(curve(minute) for curve in suspected) for minute in (5, 45)] == [0, 1]


def test_no_two_shapes_have_the_same_sentence() -> None:
    sentences = [shape.sentence for shape in SHAPES]

    assert len(set(sentences)) == len(sentences) >= 24


def test_a_leak_of_60_mib_per_hour_raises_the_15_minute_alert_within_45_minutes() -> None:
    expected = {shape.sentence: shape.fires for shape in LEAKS}

    assert expected["a new process leaks 60 MiB/h"][GROWTH] <= 45
    assert expected["an old process begins to leak 60 MiB/h at minute 300"][GROWTH] - 300 <= 45


def test_healthy_shapes_raise_no_alert() -> None:
    assert not any(shape.fires for shape in HEALTHY)


def test_every_leak_raises_an_alert() -> None:
    assert all(shape.fires for shape in LEAKS)


def test_ambiguous_shapes_raise_a_page_only_at_the_memory_limit() -> None:
    pages = {shape.sentence for shape in AMBIGUOUS if EXHAUSTION in shape.fires}
    tickets = {shape.sentence for shape in AMBIGUOUS if LEAK in shape.fires}

    assert pages == {"a cache fills up to the memory limit"}
    assert tickets == {"the first day of a service with a daily wave"}


def test_the_shapes_that_the_detector_clears_raise_alerts_without_it() -> None:
    assert all(shape.fires for shape in CLEARED)
