"""The table in the runbook is the one that promtool holds the rules to, in the integration tests."""

from __future__ import annotations

from alerts.tests.expectations import AMBIGUOUS, EXHAUSTION, GROWTH, HEALTHY, LEAK, LEAKS, SHAPES
from alerts.tests.table import markdown, table_in
from tests.unit.alerting.rule_file import RUNBOOK_PATH


def test_the_runbook_shows_when_each_alert_fires_on_each_shape() -> None:
    expected = markdown({shape.sentence: shape.fires for shape in SHAPES})

    assert table_in(RUNBOOK_PATH.read_text()) == expected, "run `make alerts-table`"


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
