"""Series by type are bounded and have no gaps, and their sum is the heap."""

from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.export.type_series import MAX_TYPES, TOP_BY_BYTES, TypeSeries
from heap_exporter.metrics import OTHER_TYPES
from heap_exporter.model import Census, GrowingType, TypeCount


def census(sizes: dict[str, int]) -> Census:
    types = [TypeCount(name, 1 + size % 7, size) for name, size in sizes.items()]
    return Census(0.0, 0.0, 0.0, 0.0, "portable", tuple(sorted(types, key=lambda c: -c.bytes)), ())


heaps = st.dictionaries(st.integers(0, 300).map("t{}".format), st.integers(1, 10**9), min_size=1, max_size=120)


@given(st.lists(heaps, min_size=1, max_size=12))
def test_sums_are_correct_and_names_are_bounded_for_any_heap(sequence: list[dict[str, int]]) -> None:
    series, seen = TypeSeries(), set()
    for sizes in sequence:
        heap = census(sizes)
        shown = series.choose(heap, ())
        seen |= {count.type_name for count in shown} - {OTHER_TYPES}

        assert sum(count.bytes for count in shown) == heap.bytes
        assert sum(count.objects for count in shown) == heap.objects
    assert len(seen) <= MAX_TYPES


def test_a_type_that_falls_out_of_the_top_keeps_its_series() -> None:
    series = TypeSeries()
    series.choose(census({f"old{i}": 1000 for i in range(TOP_BY_BYTES)}), ())
    shown = series.choose(census({f"new{i}": 9000 for i in range(TOP_BY_BYTES)} | {"old3": 10}), ())

    assert "old3" in {count.type_name for count in shown}
    assert TypeCount("old4", 0, 0) in shown


def test_a_leak_that_begins_late_gets_a_series_after_many_other_types() -> None:
    series = TypeSeries()
    for generation in range(10):
        series.choose(census({f"passing{generation}-{i}": 9000 for i in range(TOP_BY_BYTES)}), ())
    shown = series.choose(census({"late": 10**9}), [GrowingType("late", 10, 10**9)])

    assert "late" in {count.type_name for count in shown}


def test_a_type_that_is_called_other_is_summed_with_the_others() -> None:
    shown = TypeSeries().choose(census({OTHER_TYPES: 100, "a": 50}), ())

    assert [count.type_name for count in shown] == ["a", OTHER_TYPES]


def test_a_small_type_that_grows_gets_a_series() -> None:
    heap = {f"big{i}": 10**6 for i in range(50)} | {"leak": 100}

    shown = TypeSeries().choose(census(heap), [GrowingType("leak", 10, 90)])

    assert "leak" in {count.type_name for count in shown}
    assert len(shown) == TOP_BY_BYTES + 2
