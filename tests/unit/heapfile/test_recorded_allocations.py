"""The lines that allocated, in the headers of two snapshots: their difference, and damaged ones."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from heap_exporter.heapfile.header import Header
from heap_exporter.heapfile.recorded_allocations import MAX_BYTES, MAX_LINES, allocated_between, allocations_member
from heap_exporter.model import AllocationGrowth, CodeLine
from tests.doubles.allocation_samplers import CREATE, DECODE, HANDLE
from tests.heaps.files import HEADER

STARTED_AT = HEADER.taken_at - 5
DECODED = AllocationGrowth(replace(DECODE, is_library=False), CREATE, bytes=300.0, plus_minus_bytes=30.0, objects=3.0)
CREATED = AllocationGrowth(CREATE, None, bytes=900.0, plus_minus_bytes=40.0, objects=9.0)


def headers(before: dict[str, Any] | None, after: Any) -> tuple[Header, Header]:
    return replace(HEADER, allocations=before), replace(HEADER, allocations=after, taken_at=HEADER.taken_at + 60)


def test_lines_are_read_as_they_were_written() -> None:
    between = headers(None, allocations_member(HEADER.taken_at + 1, [CREATED, DECODED]))

    assert allocated_between(*between) == (CREATED, DECODED)


def test_lines_of_the_same_samples_are_subtracted() -> None:
    before = allocations_member(STARTED_AT, [CREATED])
    grown = replace(CREATED, bytes=1500.0, plus_minus_bytes=30.0, objects=15.0)

    found = allocated_between(*headers(before, allocations_member(STARTED_AT, [grown, DECODED])))

    assert found == (replace(CREATED, bytes=600.0, plus_minus_bytes=50.0, objects=6.0), DECODED)


def test_lines_that_grew_less_than_their_error_are_left_out() -> None:
    before = allocations_member(STARTED_AT, [CREATED])

    assert allocated_between(*headers(before, before)) == ()


def test_samples_that_began_before_the_first_snapshot_and_are_not_in_it_say_nothing() -> None:
    assert allocated_between(*headers(None, allocations_member(STARTED_AT, [CREATED]))) == ()


def test_snapshots_of_two_processes_have_no_common_lines() -> None:
    before, after = headers(None, allocations_member(HEADER.taken_at + 1, [CREATED]))

    assert allocated_between(before, replace(after, pid=before.pid + 1)) == ()


def test_the_lines_fit_into_a_header() -> None:
    lines = [replace(CREATED, line=CodeLine("ä" * 100, number, "f")) for number in range(1000)]
    short = [replace(CREATED, line=CodeLine("a", number, "f")) for number in range(1000)]

    assert len(json.dumps(allocations_member(STARTED_AT, lines))) < MAX_BYTES + 100
    assert len(allocations_member(STARTED_AT, short)["lines"]) == MAX_LINES


VALID = {"file": "a", "line": 1, "function": "f", "bytes": 9, "plus_minus_bytes": 1, "objects": 1}
LATER = {"started_at": HEADER.taken_at + 1}
DAMAGED: list[dict[str, Any]] = [
    {},
    {"started_at": "now", "lines": [VALID]},
    LATER,
    {**LATER, "lines": 7},
    {**LATER, "lines": [None, 3, "x", []]},
    {**LATER, "lines": [{**VALID, "file": 7}]},
    {**LATER, "lines": [{**VALID, "line": 1 << 40}]},
    {**LATER, "lines": [{**VALID, "bytes": "9"}]},
    {**LATER, "lines": [{**VALID, "bytes": -9}]},
    {**LATER, "lines": [{"file": "a", "line": 1, "function": "f"}]},
]


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_header_has_no_lines(damaged: dict[str, Any]) -> None:
    assert allocated_between(*headers(damaged, damaged)) == ()
    assert allocated_between(*headers(None, damaged)) == ()


def test_members_of_later_releases_are_ignored() -> None:
    member = allocations_member(HEADER.taken_at + 1, [replace(CREATED, line=HANDLE)])
    member["lines"][0]["new"] = "in a later release"

    assert [line.line for line in allocated_between(*headers(None, member))] == [HANDLE]
