"""The graph of a snapshot file: its objects, their references, their path groups and their retained sizes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from heap_exporter.analysis.results import ProgressCallback, ignore_progress
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.runtime.short_repr import short_repr

EMPTY = 0xFFFFFFFF
"""The value of an edge slot that refers to nothing, or to an object outside of the file."""

NO_TYPE = 0xFFFFFFFF
"""The type of a group that stands for a holder."""

REFERENT, ITEM, KEY, VALUE, WEAK = range(5)
"""Labels of edges without a name."""

NAMED = 8
"""Labels from here on are names: string ``label - NAMED``."""

ROOT, MODULES, THREADS, INTERPRETER, OUTSIDE, GARBAGE = range(6)
"""The holders that every graph has. One for each thread and each frame follow, in the order of the file."""

FIRST_HOLDERS = ("root", "modules", "threads", "interpreter", "outside", "garbage")
"""The kinds of these holders."""

DEEPEST_GROUP = 64
"""The greatest depth of a path group. Deeper objects are in the group of the object that refers to them."""


class Holder(NamedTuple):
    """A node of the snapshot's graph for references from outside of it. ``parent`` is the number of a holder."""

    kind: str
    name: str
    parent: int

    def __repr__(self) -> str:
        return short_repr(self)


class Graph(Protocol):
    """The objects and references of a snapshot, in arrays.

    The holder of the threads also refers to the tasks, the scheduled callbacks and the event loops of asyncio. So their
    paths do not depend on the moment of the snapshot. The label of a task is the name of its coroutine's function.

    Objects are nodes 0, 1, 2 … in the order of their addresses; holder ``h`` is node ``objects + h``.

    ``type_of``, ``size`` (shallow bytes) and ``group`` have an element for each object; ``idom`` (a node) and
    ``retained`` (bytes) for each node. Edge slots of object ``v`` are ``targets[offsets[v]:offsets[v + 1]]``.
    ``references`` is the number of references to objects of the file, ``unknown_references`` of those to other
    objects. ``root_edges`` are (holder, object, label). Path groups have ``group_…``; the first stand for the holders.
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
        """Return the label of each edge of the snapshot's graph, parallel to ``targets``: a value's is its dict key."""

    def places(self) -> memoryview[int]:
        """Return the place of each object of the snapshot's graph: its address divided by 16."""

    def retained_by(self, groups: memoryview[int], count: int) -> memoryview[int]:
        """Return, for each of ``count`` groups of the snapshot's objects, the bytes that they retain together.

        ``groups`` has the number of a group for each object; an object with a number from ``count`` on is in none.
        """

    def totals_by(self, groups: memoryview[int], count: int) -> tuple[memoryview[int], memoryview[int]]:
        """Return, for each of ``count`` groups of the snapshot's objects, their number and their shallow bytes."""

    def regroup(self, classes: memoryview[int]) -> memoryview[int]:
        """Return ``classes[group]`` for each object of the snapshot's graph, by its path group."""


def load(path: Path, progress: ProgressCallback = ignore_progress) -> Graph:
    """Return the object graph of a snapshot, with dominators and path groups.

    The kernel in C makes it, or the one in Python where the one in C was not built.

    Raises :class:`~heap_exporter.errors.SnapshotFileError`, and ``MemoryError`` if the graph does not fit into memory.
    """
    try:
        from heap_exporter.analysis import native_graph
    except ImportError:
        from heap_exporter.analysis import portable

        return portable.load(path, progress)
    return native_graph.load(path, progress)
