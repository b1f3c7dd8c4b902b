"""The graph of a snapshot file: its objects, what they refer to, what holds them, and what would be freed with them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from heap_exporter.analysis.results import ProgressCallback, silent
from heap_exporter.heapfile.header import Footer, Header

EMPTY = 0xFFFFFFFF
"""What stands in an edge slot that refers to nothing, or to something that is no object of the file."""

NO_TYPE = 0xFFFFFFFF
"""The type of a group that stands for a holder."""

REFERENT, ITEM, KEY, VALUE, WEAK = range(5)
"""Labels of edges without a name."""

NAMED = 8
"""From here on a label is a name: string ``label - NAMED``."""

ROOT, MODULES, THREADS, INTERPRETER, OUTSIDE, GARBAGE = range(6)
"""The holders that every graph has; one a thread and one a frame follow, in the order of the file."""

FIRST_HOLDERS = ("root", "modules", "threads", "interpreter", "outside", "garbage")
"""Their kinds."""

DEEPEST_GROUP = 64
"""Groups that a path group may have above it; what is held from there is of the same group as its holder."""


class Holder(NamedTuple):
    """A node that stands for what holds objects from outside the graph. ``parent`` is the number of a holder."""

    kind: str
    name: str
    parent: int


class Graph(Protocol):
    """Objects are nodes 0, 1, 2 … in the order of their addresses; holder ``h`` is node ``objects + h``.

    ``type_of``, ``size`` (shallow bytes) and ``group`` have an element for each object; ``idom`` (a node) and
    ``retained`` (bytes) for each node. Edge slots of object ``v`` are ``targets[offsets[v]:offsets[v + 1]]``.
    ``references`` are the slots that are not EMPTY; ``unknown_references`` those that are, since the file has no object
    for them. ``root_edges`` are (holder, object, label). Path groups have ``group_…``; the first stand for the holders.
    """

    path: Path
    header: Header
    footer: Footer
    objects: int
    references: int
    unknown_references: int
    strings: list[str]
    types: list[str]
    holders: list[Holder]
    root_edges: list[tuple[int, int, int]]
    size: memoryview[int]
    offsets: memoryview[int]
    targets: memoryview[int]
    idom: memoryview[int]
    retained: memoryview[int]
    group: memoryview[int]
    group_parent: memoryview[int]
    group_label: memoryview[int]
    group_type: memoryview[int]
    group_objects: memoryview[int]
    group_shallow: memoryview[int]

    @property
    def type_of(self) -> memoryview[int]: ...

    def labels(self) -> memoryview[int]:
        """Return the label of each edge slot, parallel to ``targets``. A value has its key's name, if that is known."""

    def places(self) -> memoryview[int]:
        """Return the place of each object: its address divided by 16."""

    def retained_by(self, groups: memoryview[int], count: int) -> memoryview[int]:
        """Return, for each of ``count`` groups, the bytes that its objects retain together.

        ``groups`` has the number of a group for each object; an object with a number from ``count`` on is in none.
        """

    def totals_by(self, groups: memoryview[int], count: int) -> tuple[memoryview[int], memoryview[int]]:
        """Return, for each of ``count`` groups, how many objects it has, and their shallow bytes."""

    def regroup(self, classes: memoryview[int]) -> memoryview[int]:
        """Return for each object the class that is given to its path group: ``classes[group]``."""


def load(path: Path, progress: ProgressCallback = silent) -> Graph:
    """Return the graph of a snapshot file, from the kernel in C or, where it was not built, from the one in Python.

    Raises :class:`~heap_exporter.errors.SnapshotFileError`, and ``MemoryError`` where the graph finds no room.
    """
    try:
        from heap_exporter.analysis import native_graph
    except ImportError:
        from heap_exporter.analysis import portable

        return portable.load(path, progress)
    return native_graph.load(path, progress)
