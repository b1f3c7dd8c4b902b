"""The kernel of the analysis in Python, where the one in C is not built: the same graph, about 40 times slower."""

from __future__ import annotations

from array import array
from pathlib import Path

from heap_exporter.analysis.graph import Graph
from heap_exporter.analysis.portable.contents import SnapshotContents, read
from heap_exporter.analysis.portable.dominators import DominatorTree, dominator_tree
from heap_exporter.analysis.portable.links import Links
from heap_exporter.analysis.portable.reachability import Trace, trace
from heap_exporter.analysis.results import ProgressCallback, ignore_progress

__all__ = ["load"]


def load(path: Path, progress: ProgressCallback = ignore_progress) -> Graph:
    """Return the object graph of a snapshot, made in Python.

    Raises :class:`~heap_exporter.errors.SnapshotFileError`.
    """
    contents = read(path, progress)
    progress("tracing", 0.0)
    links = Links.of(contents)
    traced = trace(contents, links, progress)
    links.add_holders(contents.holders, traced.root_edges)
    progress("retaining", 0.0)
    tree = dominator_tree(links, contents.size, contents.objects)
    progress("retaining", 1.0)
    return PortableGraph(path, contents, traced, tree)


class PortableGraph:
    """A :class:`~heap_exporter.analysis.graph.Graph` in arrays of Python."""

    def __init__(self, path: Path, contents: SnapshotContents, traced: Trace, tree: DominatorTree) -> None:
        self._contents = contents
        self._tree = tree
        self.path = path
        self.header = contents.header
        self.footer = contents.footer
        self.objects = contents.objects
        self.references = contents.references
        self.unknown_references = contents.unknown_references
        self.strings = contents.strings
        self.types = contents.types
        self.holders = contents.holders
        self.root_edges = traced.root_edges
        self.size = memoryview(contents.size)
        self.offsets = memoryview(contents.offsets)
        self.targets = memoryview(contents.targets)
        self.idom = memoryview(tree.idom)
        self.retained = memoryview(tree.retained)
        self.group = memoryview(traced.group)
        self.group_parent = memoryview(traced.groups.parent)
        self.group_label = memoryview(traced.groups.label)
        self.group_type = memoryview(traced.groups.type)
        groups = len(self.group_parent)
        self.group_objects, self.group_shallow = self.totals_by(self.group, groups)

    @property
    def type_of(self) -> memoryview[int]:
        """Return the index of the type of each object of the snapshot's graph."""
        return memoryview(self._contents.types_of_objects())

    def labels(self) -> memoryview[int]:
        """Return the label of each edge of the snapshot's graph, parallel to ``targets``."""
        return memoryview(self._contents.labels())

    def places(self) -> memoryview[int]:
        """Return the place of each object of the snapshot's graph: its address divided by 16."""
        return memoryview(self._contents.places)

    def retained_by(self, groups: memoryview[int], count: int) -> memoryview[int]:
        """Return, for each of ``count`` groups of the snapshot's objects, the bytes that they retain together.

        ``groups`` has the number of a group for each object; an object with a number from ``count`` on is in none.
        """
        return memoryview(self._tree.retained_by(groups, count))

    def totals_by(self, groups: memoryview[int], count: int) -> tuple[memoryview[int], memoryview[int]]:
        """Return, for each of ``count`` groups of the snapshot's objects, their number and their shallow bytes."""
        objects, sizes = array("Q", bytes(8 * count)), array("Q", bytes(8 * count))
        for group, size in zip(groups, self.size, strict=True):
            if group < count:
                objects[group] += 1
                sizes[group] += size
        return memoryview(objects), memoryview(sizes)

    def regroup(self, classes: memoryview[int]) -> memoryview[int]:
        """Return ``classes[group]`` for each object of the snapshot's graph, by its path group."""
        return memoryview(array("I", [classes[group] for group in self.group]))
