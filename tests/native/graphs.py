"""A snapshot in memory: its nodes by place, with edges, names and roots."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path

from heap_exporter.heapfile.edges import Edge, edges
from heap_exporter.heapfile.format import WEAK
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.heapfile.reader import SnapshotReader
from heap_exporter.heapfile.records import FrameRecord, NameRecord, NodeRecord, RootRecord, ThreadRecord


@dataclass(frozen=True, slots=True)
class Root:
    """A root, with its frame and thread if it has any."""

    record: RootRecord
    frame: FrameRecord | None
    thread: ThreadRecord | None


@dataclass(slots=True)
class Graph:
    """The contents of a snapshot."""

    header: Header
    footer: Footer
    nodes: dict[int, NodeRecord] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    roots: list[Root] = field(default_factory=list)
    twice: list[int] = field(default_factory=list)

    def edges(self, place: int) -> list[Edge]:
        """Return the labelled edges of the node at a place."""
        return list(edges(self.nodes[place]))

    def named(self, place: int) -> dict[str, int]:
        """Return name → place of the target, for the named edges of a node and the values of named keys."""
        found = {}
        for edge in self.edges(place):
            name = edge.name or (self.names.get(edge.key) if edge.key else None)
            if name:
                found[name] = edge.target
        return found

    def visited(self, node: NodeRecord, wanted: Container[int]) -> list[int]:
        """Return the edges of a node in order, without weak and empty ones and an unwanted ``__dict__``.

        An instance of 3.13 may have one that its ``tp_traverse`` passes over: the walk has what the collector has not.
        """
        weak = bool(node.shape.flags & WEAK)
        names = chain(node.shape.edge_names, repeat(""))
        edges = [(name, place) for name, place in zip(names, node.edges, strict=False)][weak:]
        passed_over = sys.version_info >= (3, 13)
        return [
            place for name, place in edges if place and not (passed_over and name == "__dict__" and place not in wanted)
        ]

    def owned_references(self) -> Counter[int]:
        """Return place → the number of counted references to it in the graph: edges and roots."""
        found = Counter(root.record.place for root in self.roots if root.record.owned)
        for node in self.nodes.values():
            found.update(node.edges[1:] if node.shape.flags & WEAK else node.edges)
        return found

    def type_name(self, place: int) -> str:
        """Return the name of the type of the node at a place."""
        return self.nodes[place].shape.type.name


def read(path: Path) -> Graph:
    """Return the snapshot at ``path``, read to its end."""
    with SnapshotReader(path) as reader:
        nodes: dict[int, NodeRecord] = {}
        names: dict[int, str] = {}
        roots: list[Root] = []
        twice: list[int] = []
        thread: ThreadRecord | None = None
        frame: FrameRecord | None = None
        for record in reader.records():
            match record:
                case NodeRecord():
                    if record.place in nodes:
                        twice.append(record.place)
                    nodes[record.place] = record
                case NameRecord():
                    names[record.place] = record.name
                case ThreadRecord():
                    thread, frame = record, None
                case FrameRecord():
                    frame = record
                case RootRecord():
                    roots.append(Root(record, frame, thread))
        return Graph(reader.header, reader.footer, nodes, names, roots, twice)
