"""Lost memory in the headers of two snapshots: what grew, and damaged headers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from heap_exporter.heapfile.header import Header
from heap_exporter.heapfile.recorded_lost import MAX_BYTES, lost_between, lost_member
from tests.doubles.lost_memory import lost_chunks, lost_memory, lost_objects
from tests.heaps.files import HEADER

TUPLES = lost_objects("tuple", 10)
CHUNKS = lost_chunks(3000, 5)


def headers(before: Any, after: Any) -> tuple[Header, Header]:
    return replace(HEADER, lost=before), replace(HEADER, lost=after, taken_at=HEADER.taken_at + 60)


def test_only_what_grew_between_two_snapshots_is_lost() -> None:
    before = lost_member(lost_memory(TUPLES, CHUNKS))
    after = lost_member(lost_memory(lost_objects("tuple", 25), CHUNKS, lost_objects("bytes", 2)))

    assert lost_between(*headers(before, after)) == (lost_objects("tuple", 15), lost_objects("bytes", 2))


def test_what_was_lost_is_unknown_without_a_search_at_both_snapshots_of_one_process() -> None:
    found = lost_member(lost_memory(TUPLES))
    before, after = headers(found, found)

    assert lost_between(*headers(None, found)) is None
    assert lost_between(*headers(found, None)) is None
    assert lost_between(before, replace(after, pid=before.pid + 1)) is None


def test_a_group_that_the_first_header_had_no_room_for_is_not_lost() -> None:
    many = [lost_objects(f"shop.Type{number}", 5000 - number) for number in range(1000)]
    before = lost_member(lost_memory(*many))

    assert len(json.dumps(before["groups"])) <= MAX_BYTES
    assert before["has_more"]
    assert lost_between(*headers(before, lost_member(lost_memory(many[-1])))) == ()


@pytest.mark.parametrize("groups", [None, "many", [1], [{"kind": "object"}], [{**lost_member(lost_memory(TUPLES))}]])
def test_groups_of_a_damaged_header_are_left_out(groups: Any) -> None:
    assert lost_between(*headers({"groups": groups}, {"groups": groups})) == ()
