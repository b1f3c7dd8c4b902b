"""Why two snapshots were not compared, as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heap_exporter.model import ComparisonProblemKind
from heap_exporter.report.comparison_problem_text import comparison_problem_text, uncompared_advice
from tests.examples.alerts import PROBLEM, PROBLEM_TEXT

COMMAND = "to compare the snapshots on another machine, copy them and run `heap-exporter report a.heap b.heap`"


def test_a_problem_is_stated_with_its_numbers_and_the_command_that_compares_the_snapshots() -> None:
    assert comparison_problem_text(PROBLEM) == PROBLEM_TEXT


def test_without_a_problem_there_is_no_text() -> None:
    assert comparison_problem_text(None) == ""


def test_the_advice_is_a_whole_sentence() -> None:
    assert uncompared_advice(PROBLEM) == f"T{PROBLEM_TEXT[1:]}."


@pytest.mark.parametrize("kind", [kind for kind in ComparisonProblemKind if kind is not ComparisonProblemKind.FAILED])
def test_every_problem_of_the_service_has_the_command(kind: ComparisonProblemKind) -> None:
    reason, _, command = comparison_problem_text(replace(PROBLEM, kind=kind, error="no {space}")).partition("; ")

    assert reason
    assert command == COMMAND


def test_an_error_is_stated_as_it_is() -> None:
    failed = replace(PROBLEM, kind=ComparisonProblemKind.FAILED, error="a.heap is damaged at byte 7; take another")

    assert comparison_problem_text(failed) == "a.heap is damaged at byte 7; take another"


def test_a_path_with_a_space_is_quoted_in_the_command() -> None:
    assert "report 'a 1.heap' b.heap`" in comparison_problem_text(replace(PROBLEM, before=Path("a 1.heap")))
