"""A comparison that another process recorded in the folder, with a report or why there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.model import ComparisonProblem, ComparisonProblemKind
from heap_exporter.snapshot.comparison import Comparison, Comparisons
from heap_exporter.snapshot.file_names import page_name, report_name, snapshot_name
from heap_exporter.snapshot.store import Store

BEFORE, AFTER = "20261122T070000Z-1-0001", "20261122T070000Z-1-0002"


def recorded(folder: Path, document: Any) -> Comparison | None:
    (folder / report_name(AFTER)).write_text(json.dumps({"before": {"id": BEFORE}, **document}))
    return Comparisons(lambda: None, Store(folder, 20), is_enabled=True).state(AFTER)


def test_a_report_is_there_with_its_page_if_there_is_one(tmp_path: Path) -> None:
    report = {"document": "report"}

    without = recorded(tmp_path, report)
    (tmp_path / page_name(AFTER)).touch()
    with_page = recorded(tmp_path, report)

    assert without == Comparison("written", BEFORE, AFTER, {"before": {"id": BEFORE}, **report})
    assert with_page
    assert with_page.has_page


@pytest.mark.parametrize(
    ("problem", "kind", "values"),
    [
        (
            {"kind": "memory-ran-short", "available_bytes": 5, "error": ""},
            ComparisonProblemKind.MEMORY_RAN_SHORT,
            {"available_bytes": 5},
        ),
        ({"kind": "failed", "available_bytes": 0, "error": "why"}, ComparisonProblemKind.FAILED, {"error": "why"}),
        ("the text of an older release", ComparisonProblemKind.FAILED, {"error": "the text of an older release"}),
        (None, ComparisonProblemKind.FAILED, {"error": "None"}),
    ],
)
def test_a_recorded_problem_has_its_kind_and_values(
    tmp_path: Path, problem: Any, kind: ComparisonProblemKind, values: dict[str, Any]
) -> None:
    before, after = (tmp_path / snapshot_name(each) for each in (BEFORE, AFTER))

    assert recorded(tmp_path, {"problem": problem}) == Comparison(
        "failed", BEFORE, AFTER, problem=ComparisonProblem(kind, before, after, **values)
    )
