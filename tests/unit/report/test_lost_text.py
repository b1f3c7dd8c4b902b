"""What C code lost, as sentences."""

from __future__ import annotations

from dataclasses import replace

from heap_exporter.heapfile.recorded_lost import lost_member
from heap_exporter.model import LostGroup, LostKind
from heap_exporter.report.lost_text import lost_between_text, lost_text, search_limits_text
from tests.doubles.lost_memory import lost_chunks, lost_memory, lost_objects
from tests.heaps.files import HEADER


def test_types_and_numbers_are_named_and_small_groups_are_not() -> None:
    found = lost_text([lost_objects("bytes", 39_476), lost_objects("tuple", 19_871), lost_objects("int", 3)])

    assert found == "C code lost 39,476 `bytes` and 19,871 `tuple`: 3.6 MiB in all, to which no pointer leads"


def test_memory_without_an_object_is_named_by_its_size_and_allocator() -> None:
    block = LostGroup(LostKind.PYTHON_BLOCK, "", 32, 19_932, 637_824, 19_932, 637_824)

    assert lost_text([lost_chunks(3000, 750), block]) == (
        "C code lost 750 blocks of 3,000 bytes from malloc and 19,932 blocks of 32 bytes from Python's allocator: "
        "2.8 MiB in all, to which no pointer leads"
    )


def test_there_is_no_sentence_without_lost_memory() -> None:
    found = lost_member(lost_memory(lost_objects("bytes", 5)))

    assert lost_between_text(replace(HEADER, lost=found), replace(HEADER, lost=found)) == ""
    assert lost_between_text(HEADER, replace(HEADER, lost=found)) == ""


def test_what_the_search_cannot_see_is_said() -> None:
    assert search_limits_text(replace(HEADER, lost=lost_member(lost_memory()))) == ""
    assert "no heap of glibc's malloc was found" in search_limits_text(
        replace(HEADER, lost=lost_member(lost_memory(heaps=0)))
    )
