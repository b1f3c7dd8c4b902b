"""The cells of the flame graph: the tree of paths with the numbers of the earlier snapshot, small groups folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest

from heap_exporter.analysis.matching import Pair, match_groups
from heap_exporter.analysis.results import Heap
from heap_exporter.report.path_text import step_text


@dataclass(frozen=True, slots=True)
class Cell:
    """A group of the later snapshot, with its numbers in the earlier one (0 if it has no such group).

    ``gained_bytes`` is the growth of all groups in the subtree that grew, without those that shrank. ``folded`` is 0
    for a group, else the number of small groups below ``parent`` that the cell represents.
    """

    parent: int
    label: str
    type_name: str
    objects: int
    retained_bytes: int
    total_bytes: int
    objects_before: int
    total_bytes_before: int
    gained_bytes: int
    folded: int = 0


def cells(after: Heap, before: Heap | None, limit: int) -> list[Cell]:
    """Return the cells of the HTML report's flame graph: the largest groups, parents before children.

    One cell stands for the smaller children of a group.

    There are at most ``limit`` groups. They are sorted by their share of all bytes, or of all growth if that is larger.
    """
    pairs = [pair for pair in match_groups(before or after, after) if pair.after]
    kept = _largest(pairs, limit)
    cells: list[Cell] = []
    places: dict[int, int] = {}
    small: dict[int, list[Pair]] = {}
    for index, pair in enumerate(pairs):
        if index in kept:
            places[id(pair)] = len(cells)
            cells.append(_cell(pair, places[id(pair.parent)] if pair.parent else -1))
        elif id(pair.parent) in places:
            small.setdefault(places[id(pair.parent)], []).append(pair)
    return cells + [_folded(parent, parts) for parent, parts in small.items()]


def _largest(pairs: Sequence[Pair], limit: int) -> set[int]:
    """Return the indexes of the largest pairs for the flame graph. Their parents are included: none is smaller."""
    max_bytes = max((pair.total_bytes.after for pair in pairs), default=0) or 1
    most_gained = max((pair.gained_bytes for pair in pairs), default=0) or 1

    def rank(index: int) -> tuple[float, int]:
        pair = pairs[index]
        return -max(pair.total_bytes.after / max_bytes, pair.gained_bytes / most_gained), index

    return set(nsmallest(limit, range(len(pairs)), key=rank))


def _cell(pair: Pair, parent: int) -> Cell:
    objects, total = pair.objects, pair.total_bytes
    return Cell(
        parent, step_text(pair.step), pair.type_name, objects.after, pair.retained_bytes.after, total.after,
        objects.before, total.before, pair.gained_bytes,
    )  # fmt: skip  # in the order of the fields


def _folded(parent: int, parts: Sequence[Pair]) -> Cell:
    total, before = sum(part.total_bytes.after for part in parts), sum(part.total_bytes.before for part in parts)
    gained = sum(part.gained_bytes for part in parts)
    return Cell(parent, "", "", 0, 0, total, 0, before, gained, folded=len(parts))
