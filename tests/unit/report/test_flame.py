"""The cells of the flame graph."""

from __future__ import annotations

from itertools import pairwise

from heap_exporter.report.flame import cells
from heap_exporter.report.largest import largest_paths, most_changed
from heap_exporter.report.path_text import path_to_group
from tests.heaps import trees
from tests.heaps.trees import Branch


def wide(count: int, each: int = 10) -> Branch:
    below = tuple(Branch("part", f"shop.Part{number}", number + 1, each) for number in range(count))
    return Branch("", below=(Branch("modules", below=below),))


def test_a_small_heap_has_a_cell_for_every_group() -> None:
    heap = trees.heap(trees.shop(10))

    found = cells(heap, None, 1000)

    assert len(found) == len(heap.groups)
    for cell in found:
        assert cell.parent < len(found)
        if cell.parent >= 0:
            assert cell.total_bytes <= found[cell.parent].total_bytes


def test_the_largest_groups_are_kept_and_the_others_are_folded_into_their_parent() -> None:
    heap = trees.heap(wide(100))

    found = cells(heap, None, 12)

    assert [cell.type_name for cell in found[2:] if not cell.folded] == [f"shop.Part{i}" for i in range(90, 100)]
    (rest,) = [cell for cell in found if cell.folded]
    assert (rest.parent, rest.folded) == (1, 90)
    assert rest.total_bytes == sum(10 * number for number in range(1, 91))
    below = sum(cell.total_bytes for cell in found if cell.parent == 1)
    assert below == found[1].total_bytes


def test_a_small_group_that_grew_is_kept() -> None:
    before = trees.heap(Branch("", below=(wide(50, 1000).below[0], Branch("threads", below=(Branch("x", "T", 1, 8),)))))
    after = trees.heap(Branch("", below=(wide(50, 1000).below[0], Branch("threads", below=(Branch("x", "T", 9, 8),)))))

    grown = next(cell for cell in cells(after, before, 5) if cell.type_name == "T")

    assert (grown.objects, grown.objects_before) == (9, 1)
    assert (grown.total_bytes, grown.total_bytes_before, grown.gained_bytes) == (72, 8, 64)


def test_a_decrease_is_not_subtracted_from_the_growth_of_another_group() -> None:
    before = trees.heap(Branch("", below=(Branch("grows", "A", 1, 100), Branch("shrinks", "B", 10, 100))))
    after = trees.heap(Branch("", below=(Branch("grows", "A", 6, 100), Branch("shrinks", "B", 1, 100))))

    root, grows, shrinks = cells(after, before, 10)

    assert (grows.gained_bytes, shrinks.gained_bytes, root.gained_bytes) == (500, 0, 500)
    assert root.total_bytes < root.total_bytes_before


def test_none_of_the_largest_paths_contains_another() -> None:
    heap = trees.heap(trees.shop(1000))

    places = [path_to_group(heap, index) for index in largest_paths(heap, 3)]

    assert places[0].startswith("shop.sessions.SESSIONS")
    assert not any(two.startswith(f"{one} ") for one, two in pairwise(places))
    assert len(largest_paths(heap, 1)) == 1


def test_the_largest_changes_include_decreases() -> None:
    before = trees.heap(Branch("", below=(Branch("a", "A", 1, 10), Branch("b", "B", 99, 10), Branch("c", "C", 1, 10))))
    after = trees.heap(Branch("", below=(Branch("a", "A", 50, 10), Branch("b", "B", 1, 10), Branch("c", "C", 2, 10))))

    found = most_changed(trees.diff(before, after).types, 2)

    assert [(change.type_name, change.retained_bytes.growth) for change in found] == [("A", 490), ("B", -980)]
