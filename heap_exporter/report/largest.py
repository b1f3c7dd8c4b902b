"""Selects what to show: the groups that hold the most memory, and the largest changes."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from typing import TypeVar

from heap_exporter.analysis.results import Heap, PathChange, TypeChange

C = TypeVar("C", PathChange, TypeChange)

CHILD_SHARE = 0.95
"""A group is left out if a single child has this share of its bytes: the child is shown instead."""


def largest_paths(heap: Heap, limit: int) -> list[int]:
    """Return the largest groups to list in a report, largest first. None is below another one in the list."""
    largest_child = [0] * len(heap.groups)
    for group in heap.groups:
        if group.parent >= 0:
            largest_child[group.parent] = max(largest_child[group.parent], group.total_bytes)
    places = [
        index
        for index, group in enumerate(heap.groups)
        if group.type_name and largest_child[index] < CHILD_SHARE * group.total_bytes
    ]
    places.sort(key=lambda index: -heap.groups[index].total_bytes)
    largest: list[int] = []
    for index in places:
        if len(largest) == limit:
            break
        if not _within(heap, index, largest):
            largest.append(index)
    return largest


def growth_bytes(change: PathChange | TypeChange) -> int:
    """Return the growth by which a table of the report is sorted: a path's total bytes, a type's retained bytes."""
    return (change.total_bytes if isinstance(change, PathChange) else change.retained_bytes).growth


def most_changed(changes: Sequence[C], limit: int) -> list[C]:
    """Return the ``limit`` largest changes for a table of the report, in their original order."""
    kept = nlargest(limit, range(len(changes)), key=lambda index: abs(growth_bytes(changes[index])))
    return [changes[index] for index in sorted(kept)]


def _within(heap: Heap, index: int, others: list[int]) -> bool:
    while index >= 0 and index not in others:
        index = heap.groups[index].parent
    return index >= 0
