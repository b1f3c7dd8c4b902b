"""Facts about snapshots and comparisons in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from heap_exporter.model import RetainerPath, Step, StepKind
from heap_exporter.report import sentences
from tests.heaps import trees
from tests.heaps.steps import path


def notes(before: dict[str, Any], after: dict[str, Any]) -> str:
    empty = trees.Branch("")
    found = trees.diff(trees.heap(empty, "a.heap", **before), trees.heap(empty, "b.heap", **after))
    return "\n".join(sentences.comparison_notes(found))


def test_two_snapshots_of_one_run_need_no_note() -> None:
    assert notes({"uptime_seconds": 100.0}, {"taken_at": 1.7e9 + 900, "uptime_seconds": 1000.0}) == ""


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        ({"id": "x"}, {"id": "x"}, "Both files are the same snapshot"),
        ({}, {"taken_at": 1.7e9 - 900}, "taken 15 min before the first: swap them"),
        ({}, {"pid": 9}, "of different processes (4711, 9)"),
        ({}, {"taken_at": 1.7e9 + 900, "uptime_seconds": 5.0}, "restarted between the snapshots"),
        ({}, {"python_version": "3.14.0"}, "interpreters differ (cpython 3.13.0, cpython 3.14.0)"),
        ({}, {"walker": "portable"}, "walkers differ (native, portable)"),
    ],
)
def test_a_doubtful_comparison_has_a_note(before: dict[str, Any], after: dict[str, Any], note: str) -> None:
    assert note in notes(before, after)


def test_the_type_is_the_last_step() -> None:
    assert sentences.steps_to_type(path("shop.CACHE", "dict value"), "shop.Item") == (
        "shop.CACHE",
        "dict value",
        "shop.Item",
    )
    assert sentences.steps_to_type(
        RetainerPath([*path("held from outside"), Step(StepKind.ROOT_REFERENCE, "", "dict")]), "dict"
    ) == (
        "held from outside",
        "dict",
    )
