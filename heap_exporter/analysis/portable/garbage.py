"""Garbage that the collector has not freed yet: one object for each cycle of it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from heap_exporter.analysis.portable.contents import SnapshotContents
from heap_exporter.analysis.portable.links import Links


def garbage_heads(unreached: list[int], contents: SnapshotContents, links: Links) -> list[int]:
    """Return the fewest objects of the snapshot's graph that lead to all garbage: one for each unreferenced cycle.

    An instance of a class with a module comes before its dict. The second search goes backwards: it drops each head
    that a later head leads to.
    """
    dotted = ["." in name for name in contents.types]
    shapes = [dotted[shape.type] for shape in contents.shapes]
    unreached.sort(key=lambda number: not shapes[contents.shape_of[number]])
    heads = list(_heads(unreached, unreached, links))
    return list(_heads(reversed(heads), unreached, links))


def _heads(candidates: Iterable[int], unreached: list[int], links: Links) -> Iterator[int]:
    """Yield the garbage objects of the graph that no earlier candidate leads to."""
    fresh = bytearray(len(links.offsets) - 1)
    for number in unreached:
        fresh[number] = 1
    for candidate in candidates:
        if not fresh[candidate]:
            continue
        yield candidate
        pending = array("I", [candidate])
        while pending:
            node = pending.pop()
            if fresh[node]:
                fresh[node] = 0
                pending.extend(links.held_by(node))
