"""The tree of paths: the groups of a graph as typed steps, merged where they differ in run-time names only."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from heap_exporter.analysis.edge_labels import (
    CALLBACKS,
    CLASS,
    TASKS,
    Position,
    is_event_loop,
    step_from_holder,
    step_to,
)
from heap_exporter.analysis.graph import GARBAGE, MODULES, NAMED, THREADS, Graph, Holder
from heap_exporter.analysis.module_ownership import defining_namespaces
from heap_exporter.analysis.results import Group
from heap_exporter.model.paths import Step, StepKind
from heap_exporter.model.runtime_names import normalised

_LOCALS = "<locals>."

MAIN = "__main__"


@dataclass(slots=True)
class _Node:
    """A group of the tree while it is made; ``holders`` are the holders that it stands for."""

    parent: int
    step: Step
    type_name: str
    objects: int = 0
    shallow_bytes: int = 0
    total_bytes: int = 0
    holders: list[int] = field(default_factory=list)
    is_kept: bool = False


class PathTree:
    """The tree of the paths of a graph. ``group_of_raw`` has the number of a group of the tree for each of the graph's.

    Objects that only carry others count in the bytes of their holder's group, not among its objects.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes: list[_Node] = []
        self._numbers: dict[tuple[int, Step, str], int] = {}
        self._positions: list[Position] = []
        self._modules = _module_names(graph)
        self.group_of_raw: array[int] = array("I")
        self._add_holders()
        self._add_groups()
        self._sum()
        self._prune()

    def groups(self) -> tuple[Group, ...]:
        """Return the groups of the retainer paths, with the bytes that they retain, parents before children."""
        graph, nodes = self._graph, self._nodes
        by_object = graph.regroup(memoryview(self.group_of_raw))
        retained = list(graph.retained_by(by_object, len(nodes)))
        for number, node in enumerate(nodes):
            if node.holders:
                retained[number] = sum(graph.retained[graph.objects + holder] for holder in node.holders)
        return tuple(
            Group(
                node.parent,
                node.step,
                node.type_name,
                node.objects,
                node.shallow_bytes,
                retained[number],
                node.total_bytes,
            )
            for number, node in enumerate(nodes)
        )

    def _child(self, parent: int, step: Step, type_name: str) -> int:
        key = (parent, normalised(step), type_name)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._nodes)
            self._nodes.append(_Node(parent, step, type_name))
        elif self._nodes[number].step != step:
            self._nodes[number].step = key[1]
        return number

    def _add_holders(self) -> None:
        for number, holder in enumerate(self._graph.holders):
            parent = self.group_of_raw[holder.parent] if number else -1
            child = self._child(parent, self._holder_step(holder), "")
            self._nodes[child].holders.append(number)
            self.group_of_raw.append(child)
            self._positions.append(Position(""))

    def _holder_step(self, holder: Holder) -> Step:
        kind = StepKind(holder.kind)
        if kind is StepKind.THREAD:
            return normalised(Step(kind, "", holder.name))
        return Step(kind, "", _function(holder.name, self._modules) if kind is StepKind.FRAME else "")

    def _add_groups(self) -> None:
        graph, nodes, strings = self._graph, self._nodes, self._graph.strings
        metaclasses, moved = _metaclasses(graph), defining_namespaces(graph)
        names_of_main = _names_of_main(graph)
        first = len(graph.holders)
        for raw in range(first, len(graph.group_parent)):
            above = moved.get(raw, graph.group_parent[raw])
            label, raw_type = graph.group_label[raw], graph.group_type[raw]
            name = strings[label - NAMED] if label >= NAMED else ""
            type_name = CLASS if raw_type in metaclasses else graph.types[raw_type]
            if above < first:
                name = MAIN if above == MODULES and name in names_of_main else name
                reached_type = "module" if above == MODULES else type_name
                name = name.rpartition(_LOCALS)[2] if above == THREADS else name
                step, position = step_from_holder(graph.holders[above].kind, name, reached_type)
            else:
                step, position = step_to(self._positions[above], label, name, type_name)
            group = self._parent(above, type_name)
            if step is not None:
                group = self._child(group, step, graph.types[raw_type])
                nodes[group].objects += graph.group_objects[raw]
            nodes[group].shallow_bytes += graph.group_shallow[raw]
            self.group_of_raw.append(group)
            self._positions.append(position)

    def _parent(self, above: int, type_name: str) -> int:
        """Return the group under which a path group belongs: all of asyncio's begin at the event loop."""
        if is_event_loop(type_name):
            return self.group_of_raw[THREADS]
        if above == THREADS and type_name in (*TASKS, *CALLBACKS):
            return self._child(self.group_of_raw[THREADS], Step(StepKind.EVENT_LOOP), "")
        return self.group_of_raw[above]

    def _sum(self) -> None:
        for node in reversed(self._nodes):
            node.total_bytes += node.shallow_bytes
            node.is_kept |= node.objects > 0
            if node.parent >= 0:
                above = self._nodes[node.parent]
                above.total_bytes += node.total_bytes
                above.is_kept |= node.is_kept

    def _prune(self) -> None:
        """Remove holders without objects from the tree of retainer paths, except the topmost ones."""
        moved = array("I")
        kept: list[_Node] = []
        for number, node in enumerate(self._nodes):
            moved.append(len(kept))
            if node.is_kept or node.total_bytes or number <= GARBAGE:
                node.parent = moved[node.parent] if number else -1
                kept.append(node)
        self._nodes = kept
        self.group_of_raw = array("I", map(moved.__getitem__, self.group_of_raw))


def topmost_holders(graph: Graph) -> Iterator[int]:
    """Yield the topmost holder of each path group of the snapshot's graph."""
    tops = array("I", range(len(graph.holders)))
    for number, holder in enumerate(graph.holders):
        if holder.kind in ("thread", "frame"):
            tops[number] = THREADS
    for raw in range(len(graph.holders), len(graph.group_parent)):
        tops.append(tops[graph.group_parent[raw]])
    yield from tops


def _metaclasses(graph: Graph) -> set[int]:
    """Return the types of the snapshot's graph whose objects are classes: each class has an own ``__mro__``."""
    plain = {number for number, name in enumerate(graph.types) if name == "type"}
    if "__mro__" not in graph.strings:
        return plain
    mro = graph.strings.index("__mro__") + NAMED
    return plain | {
        graph.group_type[graph.group_parent[raw]]
        for raw in range(len(graph.holders), len(graph.group_parent))
        if graph.group_label[raw] == mro and graph.types[graph.group_type[raw]] == "tuple"
    } - {0xFFFFFFFF}


def _module_names(graph: Graph) -> set[str]:
    return {
        graph.strings[label - NAMED]
        for holder, _target, label in graph.root_edges
        if holder == MODULES and label >= NAMED
    }


def _names_of_main(graph: Graph) -> set[str]:
    """Return all names of the module ``__main__`` in the snapshot's graph: multiprocessing adds ``__mp_main__``."""
    named = [
        (target, graph.strings[label - NAMED])
        for holder, target, label in graph.root_edges
        if holder == MODULES and label >= NAMED
    ]
    main = {target for target, name in named if name == MAIN}
    return {name for target, name in named if target in main}


def _function(full_name: str, modules: set[str]) -> str:
    """Return the function of a frame in a retainer path: its name without its module and the functions around it."""
    name = full_name.rpartition(_LOCALS)[2]
    module = name
    while module and module not in modules:
        module = module.rpartition(".")[0]
    return name[len(module) + 1 :] if module and module != name else name
