"""Numbers of nodes are distinct, below 2**32, and the same in two snapshots of one process."""

from array import array
from collections.abc import Set as AbstractSet

from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.analysis.graph import Holder
from heap_exporter.report.snapshot_ids import ROOT_ID, holder_ids, object_ids

STRETCH = 1 << 32
PROGRAM, MAPPED = 0x555_0000_0000, 0x7F1_0000_0000
"""Places in a program's own memory and in what it mapped; their low halves are alike."""

near = st.integers(0, 1 << 12)
places_in_two_stretches = st.sets(
    near.map(PROGRAM.__add__) | near.map(MAPPED.__add__) | st.integers(1, (1 << 60) - 1), min_size=1, max_size=300
)


def numbered(places: set[int], reserved: AbstractSet[int] = frozenset()) -> dict[int, int]:
    ascending = array("Q", sorted(places))
    return dict(zip(ascending, object_ids(memoryview(ascending), set(reserved)), strict=True))


@given(places_in_two_stretches, st.sets(near))
def test_no_two_objects_share_a_number_and_none_has_a_reserved_one(places: set[int], reserved: set[int]) -> None:
    ids = numbered(places, reserved).values()

    assert len(set(ids)) == len(places)
    assert not reserved & set(ids)
    assert all(0 <= identity < STRETCH for identity in ids)


@given(st.sets(st.integers(MAPPED, MAPPED + STRETCH - 1), min_size=1), st.sets(st.integers(MAPPED, MAPPED + 10_000)))
def test_within_64_gib_an_object_keeps_its_number_whatever_comes_and_goes(places: set[int], others: set[int]) -> None:
    before, after = numbered(places), numbered(places | others)

    assert {place: after[place] for place in before} == before


@given(st.sets(near, min_size=1), st.sets(near, min_size=1), st.sets(near))
def test_stretches_that_do_not_overlap_keep_their_numbers(program: set[int], mapped: set[int], more: set[int]) -> None:
    far = MAPPED + (1 << 20)
    before = numbered({PROGRAM + place for place in program} | {far + place for place in mapped})
    after = numbered({PROGRAM + place for place in program} | {far + place for place in mapped | more})

    assert {place: after[place] for place in before} == before


def test_of_two_objects_that_want_one_number_that_of_the_smaller_stretch_has_it_and_the_other_is_moved_alone() -> None:
    mapped = {MAPPED + place for place in range(1000)}

    alone, beside = numbered(mapped), numbered(mapped | {PROGRAM + 7})

    assert beside[PROGRAM + 7] == alone[MAPPED + 7]
    assert {place for place in mapped if alone[place] != beside[place]} == {MAPPED + 7}
    assert numbered(mapped | {PROGRAM + 7, MAPPED + 2000})[MAPPED + 7] == beside[MAPPED + 7]


def test_the_numbers_of_holders_tell_what_they_are_and_not_where_they_stand() -> None:
    root, modules, threads = Holder("root", "", 0), Holder("modules", "", 0), Holder("threads", "", 0)
    first, second = Holder("thread", "MainThread", 2), Holder("thread", "Worker", 2)

    one = holder_ids([root, modules, threads, first, Holder("frame", "main", 3)])
    other = holder_ids([root, modules, threads, second, first, Holder("frame", "main", 4), Holder("frame", "main", 4)])

    assert one[0] == ROOT_ID
    assert [*other[:3], *other[4:6]] == one
    assert len(set(other)) == 7
