"""The contents of a snapshot file, with its objects numbered in the order of their addresses."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from heap_exporter.analysis.graph import (
    EMPTY,
    FIRST_HOLDERS,
    INTERPRETER,
    MODULES,
    NAMED,
    REFERENT,
    ROOT,
    THREADS,
    VALUE,
    Holder,
)
from heap_exporter.analysis.portable.shapes import Shape, label_of_name, shape_of_record
from heap_exporter.analysis.results import ProgressCallback
from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.format import HELD_BY_INTERPRETER, MODULE, read_footer
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.heapfile.reader import SnapshotReader
from heap_exporter.heapfile.records import (
    FrameRecord,
    NameRecord,
    NodeRecord,
    Record,
    RootRecord,
    ShapeRecord,
    ThreadRecord,
    TypeRecord,
)
from heap_exporter.model.runtime_names import merged_names

MAX_BYTES = 2**63
"""An upper bound on the size of all objects of a process."""

NODES_PER_PROGRESS = 1 << 14
"""Nodes between two progress reports."""


class Root(NamedTuple):
    """A reference to an object from outside of the graph."""

    role: int
    holder: int
    label: int
    target: int


@dataclass(slots=True)
class SnapshotContents:
    """The contents of a file, in the terms of :class:`~heap_exporter.analysis.graph.Graph`.

    ``names`` are the labels of dict values, by the ``str`` object that is the key. ``group_labels`` are the labels of
    path groups behind edges with a name, by the number of the name: names of one run-time family have the same label.
    """

    header: Header
    footer: Footer
    strings: list[str]
    types: list[str]
    holders: list[Holder]
    shapes: list[Shape]
    roots: list[Root]
    names: dict[int, int]
    group_labels: array[int]
    places: array[int]
    shape_of: array[int]
    size: array[int]
    reference_count: array[int]
    offsets: array[int]
    targets: array[int]
    references: int
    unknown_references: int

    @property
    def objects(self) -> int:
        """Return the number of objects in the snapshot's graph."""
        return len(self.places)

    def label(self, name: str) -> int:
        """Return the label of edges with a name in the snapshot's graph; EMPTY, which is no label, if it has none."""
        return NAMED + self.strings.index(name) if name in self.strings else EMPTY

    def type_number(self, name: str) -> int:
        """Return the index of a type in the snapshot's graph; EMPTY, which is no index, if no object has the type."""
        return self.types.index(name) if name in self.types else EMPTY

    def group_label(self, label: int) -> int:
        """Return the label of the path group behind the graph's edges of a label."""
        return self.group_labels[label - NAMED] if label >= NAMED else label

    def types_of_objects(self) -> array[int]:
        """Return the index of the type of each object of the snapshot's graph."""
        types = [known.type for known in self.shapes]
        return array("I", [types[number] for number in self.shape_of])

    def labels(self) -> array[int]:
        """Return the label of each edge of the snapshot's graph. A dict's value has the name of its key, if known."""
        labels = array("I")
        for number, begin, end in zip(self.shape_of, self.offsets, self.offsets[1:], strict=False):
            labels.extend(self.shapes[number].labels(end - begin))
        for slot, known in enumerate(labels):
            if known == VALUE:
                labels[slot] = self.names.get(self.targets[slot - 1], VALUE)
        return labels


@dataclass(slots=True)
class _Records:
    """The records read so far: nodes in the order of the file, edges and roots by the places of their targets."""

    path: Path
    header: Header
    strings: dict[str, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    shapes: list[Shape] = field(default_factory=list)
    holders: list[Holder] = field(default_factory=list)
    thread: int = THREADS
    roots: list[Root] = field(default_factory=list)
    names: dict[int, int] = field(default_factory=dict)
    nodes: dict[int, int] = field(default_factory=dict)
    shape_of: array[int] = field(default_factory=lambda: array("I"))
    size: array[int] = field(default_factory=lambda: array("Q"))
    reference_count: array[int] = field(default_factory=lambda: array("Q"))
    offsets: array[int] = field(default_factory=lambda: array("Q", [0]))
    edges: array[int] = field(default_factory=lambda: array("Q"))
    bytes: int = 0

    def add(self, record: Record) -> None:
        """Add a record other than a node to the object graph."""
        match record:
            case TypeRecord():
                self.types.setdefault(record.name, len(self.types))
            case ShapeRecord():
                self.shapes.append(shape_of_record(record, self.types[record.type.name], self.intern))
            case NameRecord():
                self.names[record.place] = NAMED + self.intern(record.name)
            case ThreadRecord():
                self.thread = len(self.holders)
                name = self.header.threads.get(record.ident) or f"thread {record.ident}"
                self.holders.append(Holder("thread", name, THREADS))
            case FrameRecord():
                self.holders.append(Holder("frame", record.function, self.thread))
            case RootRecord():
                holder = {MODULE: MODULES, HELD_BY_INTERPRETER: INTERPRETER}.get(record.role, self.innermost)
                root_label = label_of_name(record.name, REFERENT, self.intern)
                self.roots.append(Root(record.role, holder, root_label, record.place))

    def add_node(self, node: NodeRecord) -> None:
        """Add a node to the object graph: a record of an object."""
        number = len(self.nodes)
        if self.nodes.setdefault(node.place, number) != number:
            raise self.altered("it contains an object twice")
        self.bytes += node.size_bytes
        if self.bytes >= MAX_BYTES:
            raise self.altered("the sizes of its objects are too large")
        self.shape_of.append(node.shape.number)
        self.size.append(node.size_bytes)
        self.reference_count.append(node.reference_count)
        self.edges.extend(node.edges)
        self.offsets.append(len(self.edges))

    @property
    def innermost(self) -> int:
        """Return the graph's holder of a local variable: the last frame, or the last thread if it has no frame yet."""
        last = len(self.holders) - 1
        return last if self.holders[last].kind in ("thread", "frame") else THREADS

    def intern(self, text: str) -> int:
        """Return the number of a string in the object graph, which stores each string once."""
        return self.strings.setdefault(text, len(self.strings))

    def altered(self, how: str) -> SnapshotFileError:
        """Return the error for a snapshot whose graph is invalid."""
        return SnapshotFileError(self.path, f"it is damaged: {how}")


def read(path: Path, progress: ProgressCallback) -> SnapshotContents:
    """Return the objects and references of a snapshot, to analyse. Raises :class:`SnapshotFileError`."""
    with SnapshotReader(path) as reader:
        if reader.header.content == "census":
            raise SnapshotFileError(
                path,
                f"it contains only a census (counts of objects by type), not an object graph: {reader.header.note}",
            )
        records = _Records(path, reader.header, holders=[Holder(kind, "", ROOT) for kind in FIRST_HOLDERS])
        expected = max(read_footer(path).objects, 1)
        for record in reader.records():
            if not isinstance(record, NodeRecord):
                records.add(record)
                continue
            records.add_node(record)
            if len(records.nodes) % NODES_PER_PROGRESS == 0:
                progress("reading", min(len(records.nodes) / expected, 1.0))
        return _in_order(records, reader.footer)


def _in_order(records: _Records, footer: Footer) -> SnapshotContents:
    """Return the graph with its nodes in the order of their places, and with node numbers instead of places."""
    if max(len(records.edges), len(records.nodes) + len(records.holders)) >= EMPTY:
        raise SnapshotFileError(records.path, "it contains more objects or references than heap-exporter can analyse")
    order = array("I", [records.nodes[place] for place in sorted(records.nodes)])
    numbers = dict(zip(sorted(records.nodes), range(len(order)), strict=True))
    offsets, targets = array("I", [0]), array("I")
    for node in order:
        places = records.edges[records.offsets[node] : records.offsets[node + 1]]
        targets.extend(map(numbers.get, places, repeat(EMPTY)))
        offsets.append(len(targets))
    empty = targets.count(EMPTY)
    group_labels = array("I", [NAMED + number for number in _renamed(records.strings)])
    types = _renamed(records.types)
    return SnapshotContents(
        header=records.header,
        footer=footer,
        strings=list(records.strings),
        types=list(records.types),
        holders=records.holders,
        shapes=[shape._replace(type=types[shape.type]) for shape in records.shapes],
        roots=[root._replace(target=numbers[root.target]) for root in records.roots if root.target in numbers],
        names={numbers[place]: label for place, label in records.names.items() if place in numbers},
        group_labels=group_labels,
        places=array("Q", numbers),
        shape_of=array("I", [records.shape_of[node] for node in order]),
        size=array("Q", [records.size[node] for node in order]),
        reference_count=array("Q", [records.reference_count[node] for node in order]),
        offsets=offsets,
        targets=targets,
        references=len(targets) - empty,
        unknown_references=empty - records.edges.count(0),
    )


def _renamed(numbers: dict[str, int]) -> list[int]:
    """Return the number of the merged name for each name of a snapshot; merged names are added to ``numbers``."""
    return [numbers.setdefault(name, len(numbers)) for name in merged_names(list(numbers))]
