"""How the edges of nodes are called, shape by shape."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import NamedTuple

from heap_exporter.analysis.graph import ITEM, KEY, NAMED, REFERENT, VALUE, WEAK
from heap_exporter.heapfile import format as words
from heap_exporter.heapfile.records import ShapeRecord


class Shape(NamedTuple):
    """What the nodes of a shape have in common. Labels are those of :mod:`heap_exporter.analysis.graph`.

    ``named`` are the labels of the first edges, ``tail`` are the labels that the rest has by turns. ``cells`` are those
    of the items of the closure. ``strong`` is 1 if the first edge is weak, else 0: where the strong ones begin.
    """

    type: int
    named: tuple[int, ...]
    tail: tuple[int, ...]
    cells: tuple[int, ...]
    strong: int

    def label(self, slot: int) -> int:
        """Return the label of a strong edge by its position."""
        named = len(self.named)
        return self.named[slot] if slot < named else self.tail[(slot - named) % len(self.tail)]

    def labels(self, slots: int) -> array[int]:
        """Return the labels of the edges of a node that has so many."""
        rest = max(slots - len(self.named), 0)
        labels = array("I", self.named[:slots])
        labels.extend(array("I", self.tail) * (rest // len(self.tail) + 1))
        if self.strong and slots:
            labels[0] = WEAK
        return labels[:slots]


def label(name: str, unnamed: int, intern: Callable[[str], int]) -> int:
    """Return the label of this name, or ``unnamed`` if it is empty."""
    return NAMED + intern(name) if name else unnamed


_TAILS = {words.PLAIN: (REFERENT,), words.SEQUENCE: (ITEM,), words.SET: (ITEM,), words.MAPPING: (KEY, VALUE)}


def shape(record: ShapeRecord, type_number: int, intern: Callable[[str], int]) -> Shape:
    """Return the shape that a record tells of; ``intern`` returns the number of a string."""
    named = [label(name, REFERENT, intern) for name in record.edge_names]
    cells = [label(name, ITEM, intern) for name in record.cell_names]
    tail = (REFERENT,) if record.flags & words.NO_TAIL else _TAILS[record.type.kind]
    weak = bool(record.flags & words.WEAK) and (bool(named) or tail == (REFERENT,))
    return Shape(type_number, tuple(named), tail, tuple(cells), int(weak))
