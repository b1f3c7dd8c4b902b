"""What a terminal is shown."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

from heap_exporter.analysis.results import Heap
from heap_exporter.model import Step, StepKind
from heap_exporter.report import text
from tests.heaps import trees
from tests.heaps.trees import Branch


def drawn(what: RenderableType, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def leak() -> tuple[Heap, Heap]:
    return trees.heap(trees.shop(1000)), trees.heap(trees.shop(49_210), "b.heap", taken_at=1.7e9 + 900)


def test_a_report_has_verdict_suspects_growth_and_holdings_in_this_order() -> None:
    found = trees.diff(*leak(), [trees.suspect()])

    said = drawn(text.report(found, 5))

    places = [
        said.index(part) for part in ("accumulates in", "1. `shop", "advice", "grown, by path", "garbage: only cycles")
    ]
    assert places == sorted(places)
    assert "shrunk" not in said


def test_a_name_cannot_command_the_terminal() -> None:
    evil = "\x1b[2J\x07[bold]x[/bold]:smile:\u202e"
    before, after = trees.heap(Branch("")), trees.heap(Branch("", below=(Branch(evil, evil, 3, 100),)), reason=evil)
    step = Step(StepKind.MODULE, "", evil)
    found = trees.diff(before, after, [trees.suspect(holder=(step,), path=(step,), type_name=evil)])

    said = (
        drawn(text.report(found, 9))
        + drawn(text.top(after, after.types))
        + drawn(text.path(after, after.types, [1], 9))
    )

    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\u202e" not in said
    assert said.count("\\x1b[2J\\x07[bold]x[/bold]:smile:\\u202e") >= 9


def test_a_narrow_terminal_folds_names_and_cuts_none() -> None:
    name = "shop." + "VeryLongName" * 10
    heap = trees.heap(Branch("", below=(Branch("x", name, 3, 100),)))

    assert name in "".join(drawn(text.top(heap, heap.types), width=50).split())


def test_objects_that_are_in_no_group_of_their_own_are_accounted_for() -> None:
    heap = trees.heap(trees.shop(10))
    (row,) = [row for row in heap.types if row.type_name == "list"]

    assert "10 more only carry what other objects have" in drawn(text.path(heap, [row], [], 5))
