"""The summary of one snapshot: its types, the tree of its paths, and its objects by what holds them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from heap_exporter.analysis.graph import GARBAGE, NO_TYPE, OUTSIDE, Graph
from heap_exporter.analysis.path_tree import PathTree, topmost_holders
from heap_exporter.analysis.results import Heap, Holding, HoldingKind, ProgressCallback, TypeRow, ignore_progress

MAX_HELD_TYPES = 10
"""Types that are listed for each kind of holding."""

HOLDINGS = tuple(HoldingKind)
_HOLDING_OF_HOLDER = {OUTSIDE: 1, GARBAGE: 2}


def summarise(graph: Graph, progress: ProgressCallback = ignore_progress) -> Heap:
    """Return the objects of a snapshot's graph by type, by retainer path, and by what holds them."""
    progress("summarising", 0.0)
    types = _types(graph)
    progress("summarising", 0.3)
    holdings = _holdings(graph)
    progress("summarising", 0.6)
    groups = PathTree(graph).groups()
    progress("summarising", 1.0)
    return Heap(
        path=graph.path,
        header=graph.header,
        footer=graph.footer,
        objects=graph.objects,
        references=graph.references,
        unknown_references=graph.unknown_references,
        shallow_bytes=sum(row.shallow_bytes for row in types),
        types=types,
        groups=groups,
        holdings=holdings,
    )


def _types(graph: Graph) -> tuple[TypeRow, ...]:
    type_of = graph.type_of
    objects, shallow_bytes = graph.totals_by(type_of, len(graph.types))
    retained = graph.retained_by(type_of, len(graph.types))
    return _rows(zip(graph.types, objects, shallow_bytes, retained, strict=True))


def _holdings(graph: Graph) -> tuple[Holding, ...]:
    """Return the graph's objects by what holds them. A class here: the objects of one type with one kind of holding."""
    classes: dict[tuple[int, int], int] = {}
    class_of_group = array("I")
    objects: list[int] = []
    shallow_bytes: list[int] = []
    for group, holder in enumerate(topmost_holders(graph)):
        key = (_HOLDING_OF_HOLDER.get(holder, 0), graph.group_type[group])
        number = classes.setdefault(key, len(classes))
        if number == len(objects):
            objects.append(0)
            shallow_bytes.append(0)
        objects[number] += graph.group_objects[group]
        shallow_bytes[number] += graph.group_shallow[group]
        class_of_group.append(number)
    retained = graph.retained_by(graph.regroup(memoryview(class_of_group)), len(classes))
    held_rows = [
        (holding, (graph.types[type_index], objects[number], shallow_bytes[number], retained[number]))
        for (holding, type_index), number in classes.items()
        if type_index != NO_TYPE
    ]
    return tuple(_holding(kind, [row for holding, row in held_rows if holding == i]) for i, kind in enumerate(HOLDINGS))


def _holding(kind: HoldingKind, rows: Sequence[tuple[str, int, int, int]]) -> Holding:
    return Holding(kind, sum(row[1] for row in rows), sum(row[2] for row in rows), _rows(rows)[:MAX_HELD_TYPES])


def _rows(rows: Iterable[tuple[str, int, int, int]]) -> tuple[TypeRow, ...]:
    type_rows = (TypeRow(*row) for row in rows if row[1])
    return tuple(sorted(type_rows, key=lambda row: (-row.retained_bytes, -row.shallow_bytes, row.type_name)))
