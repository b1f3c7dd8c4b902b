"""The text for a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console

from heap_exporter.analysis.results import Heap
from heap_exporter.model import Step, StepKind
from heap_exporter.report import rich_text, text
from heap_exporter.report.blocks import Block
from heap_exporter.report.plain_text import plain_lines
from tests.heaps import trees
from tests.heaps.trees import Branch


def drawn(blocks: Sequence[Block], width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    console.print(rich_text.drawn(blocks))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def leak() -> tuple[Heap, Heap]:
    return trees.heap(trees.shop(1000)), trees.heap(trees.shop(49_210), "b.heap", taken_at=1.7e9 + 900)


def test_plain_lines_are_those_of_rich_on_a_wide_terminal() -> None:
    before, after = leak()
    found = trees.diff(before, after, [trees.suspect()])
    pages = (
        text.report(found, 2, verbose=True),
        text.report(after, 2),
        text.diff(found, 2),
        text.top(after, after.types),
        text.path(after, after.types[:1], [1, 2], 1),
    )

    for blocks in pages:
        wide = [line.rstrip() for line in drawn(blocks, width=10_000).splitlines()]
        assert [line.rstrip() for line in plain_lines(blocks)] == wide


def test_a_report_has_headline_suspects_growth_and_holdings_in_this_order() -> None:
    found = trees.diff(*leak(), [trees.suspect()])

    shown = drawn(text.report(found, 5))

    places = [
        shown.index(part)
        for part in (
            "accumulates in",
            "1. `Session` objects are accumulating",
            "Held by `shop",
            "Entries are added",
            "grown, by path",
            "garbage: only reference",
        )
    ]
    assert places == sorted(places)
    assert "shrunk" not in shown


def test_the_numbers_of_a_suspect_are_shown_with_verbose() -> None:
    found = trees.diff(*leak(), [trees.suspect()])

    assert "fingerprint" not in drawn(text.report(found, 5))
    assert "fingerprint" in drawn(text.report(found, 5, verbose=True))


def test_a_name_cannot_control_the_terminal() -> None:
    evil = "\x1b[2J\x07[bold]x[/bold]:smile:\u202e"
    before, after = trees.heap(Branch("")), trees.heap(Branch("", below=(Branch(evil, evil, 3, 100),)), reason=evil)
    step = Step(StepKind.MODULE, "", evil)
    found = trees.diff(before, after, [trees.suspect(holder=(step,), path=(step,), type_name=evil)])

    shown = (
        drawn(text.report(found, 9, verbose=True))
        + drawn(text.top(after, after.types))
        + drawn(text.path(after, after.types, [1], 9))
    )

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert shown.count("\\x1b[2J\\x07[bold]x[/bold]:smile:\\u202e") >= 9


def test_a_narrow_terminal_folds_names_and_cuts_none() -> None:
    name = "shop." + "VeryLongName" * 10
    heap = trees.heap(Branch("", below=(Branch("x", name, 3, 100),)))

    assert name in "".join(drawn(text.top(heap, heap.types), width=50).split())


def test_objects_without_a_group_of_their_own_are_counted() -> None:
    heap = trees.heap(trees.shop(10))
    (row,) = [row for row in heap.types if row.type_name == "list"]

    assert "10 more objects of the type are parts of other objects" in drawn(text.path(heap, [row], [], 5))
