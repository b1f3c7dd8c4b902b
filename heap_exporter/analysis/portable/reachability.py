"""The shortest paths from the holders to all objects: reachable ones, those held from outside, and garbage."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heap_exporter.analysis.graph import EMPTY, GARBAGE, INTERPRETER, ITEM, OUTSIDE, REFERENT, THREADS, VALUE
from heap_exporter.analysis.portable.asyncio_parts import AsyncioPart, asyncio_parts, label_of_task
from heap_exporter.analysis.portable.contents import Root, SnapshotContents
from heap_exporter.analysis.portable.garbage import garbage_heads
from heap_exporter.analysis.portable.groups import Groups
from heap_exporter.analysis.portable.links import Links
from heap_exporter.analysis.results import ProgressCallback
from heap_exporter.heapfile.format import HELD_BY_FRAME, HELD_BY_INTERPRETER, LOCAL, MODULE

RootEdge = tuple[int, int, int]
"""The number of a holder, an object that it refers to, and the label."""

UNREACHED = 0xFFFFFFFF


class Trace(NamedTuple):
    """The path group of each object, the groups, and the references of the holders."""

    group: array[int]
    groups: Groups
    root_edges: list[RootEdge]


def trace(contents: SnapshotContents, links: Links, progress: ProgressCallback) -> Trace:
    """Return the shortest retainer path of each object of a snapshot.

    The holders come one after the other: modules, the tasks and callbacks of event loops, threads, the interpreter,
    then objects with more references than the file has, and last the garbage.
    """
    tracer = _Tracer(contents)
    main = contents.label("__main__")
    roots = contents.roots
    modules = _edges(sorted((root for root in roots if root.role == MODULE), key=lambda root: root.label == main))
    frames = _edges(root for root in roots if root.role in (LOCAL, HELD_BY_FRAME))
    interpreter = _edges(root for root in roots if root.role == HELD_BY_INTERPRETER)
    interpreter += [(INTERPRETER, v, REFERENT) for v, count in enumerate(contents.reference_count) if not count]
    tracer.reach(modules)
    scheduled = tracer.reach_asyncio([*frames, *interpreter])
    tracer.reach(frames)
    tracer.reach(interpreter)
    progress("tracing", 0.5)
    outside = [(OUTSIDE, v, REFERENT) for v in _held_from_outside(contents, links, tracer.group)]
    tracer.reach(outside)
    unreached = [v for v, group in enumerate(tracer.group) if group == UNREACHED]
    garbage = [(GARBAGE, v, REFERENT) for v in garbage_heads(unreached, contents, links)]
    tracer.reach(garbage)
    progress("tracing", 1.0)
    return Trace(tracer.group, tracer.groups, [*modules, *scheduled, *frames, *interpreter, *outside, *garbage])


def _edges(roots: Iterable[Root]) -> list[RootEdge]:
    return [(root.holder, root.target, root.label) for root in roots]


def _held_from_outside(contents: SnapshotContents, links: Links, group: array[int]) -> Iterator[int]:
    """Yield the unreached objects of the graph with references that the snapshot does not have.

    Objects behind roots are reached already, whether or not the reference of the root is in the reference count.
    """
    known = links.counts()
    for number, count in enumerate(contents.reference_count):
        if group[number] == UNREACHED and count > known[number]:
            yield number


class _Tracer:
    """A breadth-first search that puts each object into its path group."""

    def __init__(self, contents: SnapshotContents) -> None:
        self._contents = contents
        self._type_of = contents.types_of_objects()
        self._namespaces = {contents.label("__dict__"), contents.label("__globals__")}
        self._closure = contents.label("__closure__")
        self._parts = asyncio_parts(contents.types)
        self._while_running = {contents.label(name) for name in ("_current_tasks", "_eager_tasks")}
        self._module_type = contents.type_number("module")
        self._deferred: set[int] = set()
        self.group = array("I", [UNREACHED]) * contents.objects
        self.groups = Groups(contents.holders, contents.label("__dict__"), contents.type_number("coroutine"))

    def reach(self, sources: list[RootEdge]) -> None:
        """Assign a path group to every object of the graph that these edges lead to and that has none yet."""
        queue = array("I")
        for holder, target, label in sources:
            if self.group[target] == UNREACHED:
                group_label = self._contents.group_label(label)
                self.group[target] = self.groups.below(holder, group_label, self._type_of[target])
                queue.append(target)
        offsets, targets, group = self._contents.offsets, self._contents.targets, self.group
        for node in queue:
            strong = self._contents.shapes[self._contents.shape_of[node]].strong
            for slot in range(offsets[node] + strong, offsets[node + 1]):
                target = targets[slot]
                if target == EMPTY or group[target] != UNREACHED:
                    continue
                if self._is_deferred(node, target):
                    self._deferred.add(target)
                else:
                    group[target] = self._group_below(node, slot - offsets[node], target)
                    queue.append(target)

    def reach_asyncio(self, later: list[RootEdge]) -> list[RootEdge]:
        """Assign groups of their own to tasks, callbacks and event loops of the graph; return the edges to them.

        ``later`` are the edges that come next. Objects that they do not reach are left to later holders.
        """
        edges: list[RootEdge] = []
        if self._parts:
            reachable = self._reachable({*self._deferred, *(target for _holder, target, _label in later)})
            for part in (AsyncioPart.TASK, AsyncioPart.CALLBACK, AsyncioPart.LOOP):
                members = [v for v in reachable if self._parts.get(self._type_of[v]) is part]
                unreached = [v for v in members if self.group[v] == UNREACHED]
                is_task = part is AsyncioPart.TASK
                labels = [label_of_task(self._contents, v) if is_task else REFERENT for v in unreached]
                added = [(THREADS, v, label) for v, label in zip(unreached, labels, strict=True)]
                self.reach(added)
                edges += added
            self._parts = {}
        return edges

    def _reachable(self, pending: set[int]) -> list[int]:
        """Return the unreached objects of the graph behind some objects, in the order of their numbers."""
        offsets, targets = self._contents.offsets, self._contents.targets
        reachable = {node for node in pending if self.group[node] == UNREACHED}
        stack = list(reachable)
        while stack:
            node = stack.pop()
            strong = self._contents.shapes[self._contents.shape_of[node]].strong
            for target in targets[offsets[node] + strong : offsets[node + 1]]:
                if target != EMPTY and target not in reachable and self.group[target] == UNREACHED:
                    reachable.add(target)
                    stack.append(target)
        return sorted(reachable)

    def _is_deferred(self, node: int, target: int) -> bool:
        """Return whether an edge is skipped at first.

        Skipped are edges to event loops, and to tasks and callbacks from places where they are only until they run.
        These objects get groups of their own, which do not depend on the moment of the snapshot.
        """
        part = self._parts.get(self._type_of[target])
        if part in (AsyncioPart.TASK, AsyncioPart.CALLBACK):
            if self._type_of[node] in self._parts:
                return True
            return self.groups.label[self.group[node]] in self._while_running or self._is_module_state(node)
        return part is AsyncioPart.LOOP

    def _is_module_state(self, node: int) -> bool:
        """Return whether a node belongs to the state of a module in C: CPython's current tasks, since 3.12."""
        group = self.group[node]
        is_unnamed = self.groups.label[group] == REFERENT
        return is_unnamed and self.groups.type[self.groups.parent[group]] == self._module_type

    def _group_below(self, node: int, slot: int, target: int) -> int:
        """Return the path group of the object behind an edge of a node.

        The values of a namespace get the names of their keys, the cells of a closure the names that the function has.
        """
        number = self._contents.shape_of[node]
        shape = self._contents.shapes[number]
        group, label, function = self.group[node], shape.label(slot), None
        if label == self._closure and shape.cells:
            function = number
        elif label == VALUE and self.groups.label[group] in self._namespaces:
            key = self._contents.targets[self._contents.offsets[node] + slot - 1]
            label = self._contents.names.get(key, VALUE)
        elif label == ITEM:
            label = self._item_label(self.groups.function[group], slot - len(shape.named))
        return self.groups.below(group, self._contents.group_label(label), self._type_of[target], function)

    def _item_label(self, function: int | None, item: int) -> int:
        cells = () if function is None else self._contents.shapes[function].cells
        return cells[item] if item < len(cells) else ITEM
