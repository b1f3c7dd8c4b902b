"""The strong references: paths, reference counts and dominators follow only these."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from heap_exporter.analysis.graph import EMPTY, Holder
from heap_exporter.analysis.portable.contents import SnapshotContents


@dataclass(slots=True)
class Links:
    """The strong references of node ``v`` are ``targets[offsets[v]:offsets[v + 1]]``."""

    offsets: array[int]
    targets: array[int]

    @classmethod
    def of(cls, contents: SnapshotContents) -> Links:
        """Return the strong references of a snapshot's graph."""
        skipped = [shape.strong for shape in contents.shapes]
        links = cls(array("I", [0]), array("I"))
        for number, begin, end in zip(contents.shape_of, contents.offsets, contents.offsets[1:], strict=False):
            links._append(contents.targets[begin + skipped[number] : end])
        return links

    def add_holders(self, holders: Sequence[Holder], root_edges: Sequence[tuple[int, int, int]]) -> None:
        """Add the graph's holders as nodes after the objects: each refers to the holders below it and to its roots."""
        objects = len(self.offsets) - 1
        held: list[list[int]] = [[] for _ in holders]
        for number, holder in enumerate(holders[1:], 1):
            held[holder.parent].append(objects + number)
        for number, target, _label in root_edges:
            held[number].append(target)
        for below in held:
            self._append(array("I", below))

    def held_by(self, node: int) -> array[int]:
        """Return the nodes of the graph that a node strongly refers to."""
        return self.targets[self.offsets[node] : self.offsets[node + 1]]

    def counts(self) -> array[int]:
        """Return the number of strong references to each node of the graph."""
        counts = array("I", bytes(4 * (len(self.offsets) - 1)))
        for target in self.targets:
            counts[target] += 1
        return counts

    def reversed(self) -> Links:
        """Return the graph with reversed references: for each node the nodes that refer to it."""
        ends = array("I", chain([0], self.counts()))
        for node in range(1, len(ends)):
            ends[node] += ends[node - 1]
        sources = array("I", bytes(4 * len(self.targets)))
        for node in range(len(self.offsets) - 1):
            for target in self.held_by(node):
                sources[ends[target]] = node
                ends[target] += 1
        ends.insert(0, 0)
        ends.pop()
        return Links(ends, sources)

    def _append(self, targets: array[int]) -> None:
        """Add the next node of the graph with the nodes that it refers to."""
        if EMPTY in targets:
            targets = array("I", [target for target in targets if target != EMPTY])
        self.targets.extend(targets)
        self.offsets.append(len(self.targets))
