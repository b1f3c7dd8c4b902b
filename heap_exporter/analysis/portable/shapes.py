"""The labels of the edges of nodes, by shape."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import NamedTuple

from heap_exporter.analysis.graph import ITEM, KEY, NAMED, REFERENT, VALUE, WEAK
from heap_exporter.heapfile import format as file_format
from heap_exporter.heapfile.records import ShapeRecord


class Shape(NamedTuple):
    """The common properties of the nodes of a shape. Labels are those of :mod:`heap_exporter.analysis.graph`.

    ``named`` are the labels of the first edges, ``tail`` are the repeated labels of the others. ``cells`` are the
    labels of the items of the closure, ``function`` is the label of a coroutine's function. ``strong`` is the position
    of the first strong edge: 1 if the first one is weak.
    """

    type: int
    named: tuple[int, ...]
    tail: tuple[int, ...]
    cells: tuple[int, ...]
    strong: int
    function: int

    def label(self, slot: int) -> int:
        """Return the label of a strong edge of the graph by its position."""
        named = len(self.named)
        return self.named[slot] if slot < named else self.tail[(slot - named) % len(self.tail)]

    def labels(self, slots: int) -> array[int]:
        """Return the labels of the edges of a graph node with this number of edges."""
        rest = max(slots - len(self.named), 0)
        labels = array("I", self.named[:slots])
        labels.extend(array("I", self.tail) * (rest // len(self.tail) + 1))
        if self.strong and slots:
            labels[0] = WEAK
        return labels[:slots]


def label_of_name(name: str, unnamed: int, intern: Callable[[str], int]) -> int:
    """Return the label of a graph edge with a name, or ``unnamed`` if the name is empty."""
    return NAMED + intern(name) if name else unnamed


_TAILS = {
    file_format.PLAIN: (REFERENT,),
    file_format.SEQUENCE: (ITEM,),
    file_format.SET: (ITEM,),
    file_format.MAPPING: (KEY, VALUE),
}


def shape_of_record(record: ShapeRecord, type_number: int, intern: Callable[[str], int]) -> Shape:
    """Return the edge labels that a snapshot's nodes of one shape share; ``intern`` returns the number of a string."""
    named = [label_of_name(name, REFERENT, intern) for name in record.edge_names]
    cells = [label_of_name(name, ITEM, intern) for name in record.cell_names]
    tail = (REFERENT,) if record.flags & file_format.NO_TAIL else _TAILS[record.type.kind]
    weak = bool(record.flags & file_format.WEAK) and (bool(named) or tail == (REFERENT,))
    function = label_of_name(next(iter(record.cell_names), ""), REFERENT, intern)
    return Shape(type_number, tuple(named), tail, tuple(cells), int(weak), function)
