"""There is advice for every leak pattern and for every cause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heap_exporter.model import Cause, LeakPattern
from heap_exporter.report.advice_text import alert_advice, cause_advice, pattern_advice
from tests.examples.alerts import bare_alert, full_alert


@pytest.mark.parametrize("pattern", LeakPattern)
def test_the_advice_for_a_pattern_is_one_short_line(pattern: LeakPattern) -> None:
    text = pattern_advice(pattern)

    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 220


@pytest.mark.parametrize("cause", Cause)
def test_there_is_advice_for_every_cause(cause: Cause) -> None:
    assert cause_advice(cause).endswith(".")


def test_the_advice_of_an_alert_is_that_of_its_pattern_or_else_of_its_cause() -> None:
    alert = full_alert()
    assert alert.accumulation is not None
    without_pattern = replace(alert, accumulation=replace(alert.accumulation, pattern=None))

    assert alert_advice(alert) == pattern_advice(LeakPattern.UNBOUNDED_MAPPING)
    assert alert_advice(without_pattern) == cause_advice(Cause.PYTHON_OBJECTS)
    assert alert_advice(bare_alert()) == ""
