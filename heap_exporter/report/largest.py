"""The places where bytes lie, and the largest changes: what is shown where not all can be."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from typing import TypeVar

from heap_exporter.analysis.results import Heap, PathChange, TypeChange

C = TypeVar("C", PathChange, TypeChange)

PASSED_ON = 0.95
"""A group that hands so much of its bytes on to a single group below it is only on the way there."""


def largest_paths(heap: Heap, limit: int) -> list[int]:
    """Return the indexes of the largest groups, largest first: none is within another, or only on the way to one."""
    largest_child = [0] * len(heap.groups)
    for group in heap.groups:
        if group.parent >= 0:
            largest_child[group.parent] = max(largest_child[group.parent], group.total_bytes)
    places = [
        index
        for index, group in enumerate(heap.groups)
        if group.type_name and largest_child[index] < PASSED_ON * group.total_bytes
    ]
    places.sort(key=lambda index: -heap.groups[index].total_bytes)
    found: list[int] = []
    for index in places:
        if len(found) == limit:
            break
        if not _within(heap, index, found):
            found.append(index)
    return found


def growth_bytes(change: PathChange | TypeChange) -> int:
    """Return the growth that changes are ordered by: of a path with all behind it, of a type with all it retains."""
    return (change.total_bytes if isinstance(change, PathChange) else change.retained_bytes).growth


def most_changed(changes: Sequence[C], limit: int) -> list[C]:
    """Return the ``limit`` largest changes, grown or shrunk, in the order that they have."""
    kept = nlargest(limit, range(len(changes)), key=lambda index: abs(growth_bytes(changes[index])))
    return [changes[index] for index in sorted(kept)]


def _within(heap: Heap, index: int, others: list[int]) -> bool:
    while index >= 0 and index not in others:
        index = heap.groups[index].parent
    return index >= 0
