"""What nothing holds any more, and the collector has not freed: of each knot of it the object that stands for it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from heap_exporter.analysis.portable.contents import SnapshotContents
from heap_exporter.analysis.portable.links import Links


def garbage_heads(unreached: list[int], contents: SnapshotContents, links: Links) -> list[int]:
    """Return the fewest objects from which all that was not reached is: one of each cycle that nothing leads into.

    Of the objects of a cycle, one of a class of some module is told rather than its dict. A head that a later one leads
    to is none, since what was visited from the later one had not been visited before.
    """
    dotted = ["." in name for name in contents.types]
    shapes = [dotted[shape.type] for shape in contents.shapes]
    unreached.sort(key=lambda number: not shapes[contents.shape_of[number]])
    heads = list(_heads(unreached, unreached, links))
    return list(_heads(reversed(heads), unreached, links))


def _heads(candidates: Iterable[int], unreached: list[int], links: Links) -> Iterator[int]:
    """Yield the candidates that those before them do not lead to."""
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
