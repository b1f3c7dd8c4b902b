"""A holder is watched: one that shrinks, or holds still while the memory grows, is not what leaks."""

from __future__ import annotations

import sys
import types
from dataclasses import replace

import pytest

from heap_exporter.investigation.holder_watch import HolderState, HolderWatch
from tests.examples.alerts import full_alert
from tests.heaps.steps import path

MIB = 1024**2
FOUND = full_alert().accumulation


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list that is suspected; it has a thousand items."""
    module = types.ModuleType("watched_shop")
    found = list(range(1000))
    module.ROWS = found  # type: ignore[attr-defined]  # a module of this test
    monkeypatch.setitem(sys.modules, "watched_shop", module)
    return found


def watch(objects: int = 300) -> HolderWatch:
    """Return the watch of the list after it gained 40 MiB; the process has 100 MiB."""
    assert FOUND is not None
    found = replace(FOUND, holder=path("watched_shop.ROWS"), objects=objects)
    return HolderWatch(found, 100 * MIB, 40 * MIB, 100 * MIB)


def test_a_holder_that_grows_with_the_memory_continues(rows: list[int]) -> None:
    watched = watch()
    rows.append(1)

    assert watched.observe(105 * MIB) is HolderState.UNDECIDED
    assert watched.observe(110 * MIB) is HolderState.CONTINUES


def test_a_holder_that_holds_still_while_the_memory_grows_has_settled(rows: list[int]) -> None:
    watched = watch()

    assert watched.observe(105 * MIB) is HolderState.UNDECIDED
    assert watched.observe(110 * MIB) is HolderState.SETTLED


def test_a_holder_is_undecided_while_nothing_grows(rows: list[int]) -> None:
    watched = watch()

    assert {watched.observe(100 * MIB) for _ in range(99)} == {HolderState.UNDECIDED}


def test_a_holder_that_removes_a_batch_has_settled_with_the_most_that_it_had(rows: list[int]) -> None:
    watched = watch()
    rows += range(500)
    assert watched.observe(101 * MIB) is HolderState.UNDECIDED
    del rows[:700]

    assert watched.observe(102 * MIB) is HolderState.SETTLED
    settled = watched.settled()
    assert settled is not None
    assert (settled.entries, settled.peak_entries) == (800, 1500)


def test_a_holder_that_loses_single_entries_continues(rows: list[int]) -> None:
    watched = watch()
    rows += range(500)
    del rows[:20]

    assert watched.observe(110 * MIB) is HolderState.CONTINUES


def test_a_holder_whose_objects_become_larger_continues_with_the_memory(rows: list[int]) -> None:
    watched = watch(objects=0)

    assert watched.observe(110 * MIB) is HolderState.CONTINUES


def test_a_holder_that_cannot_be_found_continues_with_the_memory() -> None:
    watched = watch()

    assert watched.observe(105 * MIB) is HolderState.UNDECIDED
    assert watched.observe(110 * MIB) is HolderState.CONTINUES
