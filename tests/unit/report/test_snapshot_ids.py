"""Node ids are unique, below 2**32, and the same in two snapshots of a process."""

from array import array
from collections.abc import Set as AbstractSet

from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.analysis.graph import Holder
from heap_exporter.report.snapshot_ids import ROOT_ID, holder_ids, object_ids

STRETCH = 1 << 32
PROGRAM, MAPPED = 0x555_0000_0000, 0x7F1_0000_0000
"""Places in the memory of the program and in mapped memory, with the same lower halves."""

near = st.integers(0, 1 << 12)
places_in_two_stretches = st.sets(
    near.map(PROGRAM.__add__) | near.map(MAPPED.__add__) | st.integers(1, (1 << 60) - 1), min_size=1, max_size=300
)


def numbered(places: set[int], reserved: AbstractSet[int] = frozenset()) -> dict[int, int]:
    ascending = array("Q", sorted(places))
    return dict(zip(ascending, object_ids(memoryview(ascending), set(reserved)), strict=True))


@given(places_in_two_stretches, st.sets(near))
def test_ids_are_unique_and_none_is_reserved(places: set[int], reserved: set[int]) -> None:
    ids = numbered(places, reserved).values()

    assert len(set(ids)) == len(places)
    assert not reserved & set(ids)
    assert all(0 <= identity < STRETCH for identity in ids)


@given(st.sets(st.integers(MAPPED, MAPPED + STRETCH - 1), min_size=1), st.sets(st.integers(MAPPED, MAPPED + 10_000)))
def test_within_64_gib_the_id_of_an_object_does_not_depend_on_other_objects(places: set[int], others: set[int]) -> None:
    before, after = numbered(places), numbered(places | others)

    assert {place: after[place] for place in before} == before


@given(st.sets(near, min_size=1), st.sets(near, min_size=1), st.sets(near))
def test_ids_of_ranges_that_do_not_collide_are_stable(program: set[int], mapped: set[int], more: set[int]) -> None:
    far = MAPPED + (1 << 20)
    before = numbered({PROGRAM + place for place in program} | {far + place for place in mapped})
    after = numbered({PROGRAM + place for place in program} | {far + place for place in mapped | more})

    assert {place: after[place] for place in before} == before


def test_after_a_collision_only_the_object_of_the_larger_range_gets_another_id() -> None:
    mapped = {MAPPED + place for place in range(1000)}

    alone, both = numbered(mapped), numbered(mapped | {PROGRAM + 7})

    assert both[PROGRAM + 7] == alone[MAPPED + 7]
    assert {place for place in mapped if alone[place] != both[place]} == {MAPPED + 7}
    assert numbered(mapped | {PROGRAM + 7, MAPPED + 2000})[MAPPED + 7] == both[MAPPED + 7]


def test_the_id_of_a_holder_depends_on_its_name_and_not_on_its_index() -> None:
    root, modules, threads = Holder("root", "", 0), Holder("modules", "", 0), Holder("threads", "", 0)
    first, second = Holder("thread", "MainThread", 2), Holder("thread", "Worker", 2)

    one = holder_ids([root, modules, threads, first, Holder("frame", "main", 3)])
    other = holder_ids([root, modules, threads, second, first, Holder("frame", "main", 4), Holder("frame", "main", 4)])

    assert one[0] == ROOT_ID
    assert [*other[:3], *other[4:6]] == one
    assert len(set(other)) == 7
