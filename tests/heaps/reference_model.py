"""Heaps as plain objects: their snapshot files, and the result of their analysis by definition.

A :class:`Model` uses no arrays, kernels or fast algorithms. Tests compare the results of the kernels with it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import (
    HELD_BY_INTERPRETER,
    MAPPING,
    MODULE,
    PLAIN,
    BlockWriter,
)
from tests.heaps.files import write_file


@dataclass(frozen=True)
class Shape:
    """How nodes are laid out."""

    type_name: str
    kind: int = PLAIN
    edge_names: tuple[str, ...] = ()
    cell_names: tuple[str, ...] = ()
    weak: bool = False
    tail: bool = True
    leaf: bool = False
    size_bytes: int | None = None

    @property
    def first_is_weak(self) -> bool:
        """Return whether the first edge of a node keeps nothing alive."""
        return self.weak and (bool(self.edge_names) or self.kind == PLAIN or not self.tail)


@dataclass
class Node:
    """An object; an edge is the place of its target, or 0."""

    place: int
    shape: Shape
    size_bytes: int
    reference_count: int
    edges: list[int]


@dataclass(frozen=True)
class Held:
    """A root; ``frame`` is the number of its holder if it is one of a frame."""

    role: int
    place: int
    name: str
    owned: bool
    frame: int = 0


Step = tuple[str, str, Shape | None]
"""A label, a type, and the shape of the function if the step is to its closure."""

Path_ = tuple[Step, ...]


@dataclass
class Model:
    """A heap. ``nodes`` are in the order of the file; ``threads`` are the counts of their frames."""

    nodes: list[Node]
    names: dict[int, str]
    roots: list[Held]
    threads: list[int]
    sources: dict[int, list[tuple[int, int, str]]] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """Write it as a snapshot file."""
        return write_file(path, self._fill)

    def _fill(self, out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        shapes: dict[Shape, int] = {}
        for node in self.nodes:
            if (shape := node.shape) not in shapes:
                shapes[shape] = encoder.shape(
                    encoder.type(shape.type_name, kind=shape.kind), size_bytes=shape.size_bytes, leaf=shape.leaf,
                    weak=shape.weak, tail=shape.tail, edge_names=shape.edge_names, cell_names=shape.cell_names,
                )  # fmt: skip  # a record
            if node.place in self.names and node.place % 2:
                encoder.name(node.place, self.names[node.place])
            encoder.node(shapes[shape], node.place, node.size_bytes, node.reference_count, node.edges)
        for place, name in self.names.items():
            encoder.name(place, name)
        self._write_roots(encoder)
        encoder.end()

    def _write_roots(self, encoder: GraphEncoder) -> None:
        number = 6
        for root in self.roots:
            if not root.frame:
                encoder.root(root.role, root.place, root.name, owned=root.owned)
        for thread, frames in enumerate(self.threads):
            encoder.thread(7 + thread)
            for depth in range(frames + 1):
                if depth:
                    encoder.frame(depth - 1, f"shop.frame_{depth}")
                for root in self.roots:
                    if root.frame == number:
                        encoder.root(root.role, root.place, root.name, owned=root.owned)
                number += 1

    @cached_property
    def by_place(self) -> dict[int, Node]:
        """Return the objects by their places, in the order of the places."""
        return {node.place: node for node in sorted(self.nodes, key=lambda node: node.place)}

    @cached_property
    def number(self) -> dict[int, int]:
        """Return the number that the object of a place must have."""
        return {place: number for number, place in enumerate(self.by_place)}

    @cached_property
    def holder_parents(self) -> list[int]:
        """Return the parent of each holder."""
        parents = [0] * 6
        for frames in self.threads:
            thread = len(parents)
            parents += [2] + [thread] * frames
        return parents

    def strong(self, node: Node) -> Iterator[tuple[int, int]]:
        """Yield the slot and the target of each edge that keeps a known object alive."""
        for slot, place in enumerate(node.edges):
            if place in self.by_place and not (slot == 0 and node.shape.first_is_weak):
                yield slot, place

    def label(self, shape: Shape, slot: int) -> str:
        """Return the label of an edge."""
        if slot == 0 and shape.first_is_weak:
            return "weak"
        if slot < len(shape.edge_names):
            return f".{shape.edge_names[slot]}" if shape.edge_names[slot] else "referent"
        if not shape.tail or shape.kind == PLAIN:
            return "referent"
        if shape.kind == MAPPING:
            return "value" if (slot - len(shape.edge_names)) % 2 else "key"
        return "item"

    def named_label(self, node: Node, slot: int) -> str:
        """Return the label of an edge, with the name of a value's key where the file has it."""
        label = self.label(node.shape, slot)
        if label == "value" and node.edges[slot - 1] in self.by_place:
            name = self.names.get(node.edges[slot - 1])
            return f".{name}" if name else label
        return label

    @cached_property
    def traced(self) -> dict[int, Path_]:
        """Return the folded path of each object, holders first; fills ``sources`` by the holder of the stage."""
        paths: dict[int, Path_] = {}
        roots = sorted(self.roots, key=lambda root: root.frame)  # the order of the file
        frames = [root for root in roots if root.frame]
        modules = [root for root in roots if root.role == MODULE]
        ordered = [root for root in modules if root.name != "__main__"]
        ordered += [root for root in modules if root.name == "__main__"]
        self._stage(paths, 1, [(1, root.place, root.name) for root in ordered])
        self._stage(paths, 2, [(root.frame, root.place, root.name) for root in frames])
        held = [(3, root.place, root.name) for root in roots if root.role == HELD_BY_INTERPRETER]
        held += [(3, node.place, "") for node in self.by_place.values() if not node.reference_count]
        self._stage(paths, 3, held)
        known = Counter(place for node in self.nodes for _slot, place in self.strong(node))
        known.update(root.place for root in self.roots if root.owned)
        outside = [p for p, node in self.by_place.items() if p not in paths and node.reference_count > known[p]]
        self._stage(paths, 4, [(4, place, "") for place in outside])
        self._stage(paths, 5, [(5, place, "") for place in self._garbage_heads(paths.keys())])
        return paths

    def _stage(self, paths: dict[int, Path_], stage: int, sources: list[tuple[int, int, str]]) -> None:
        sources = [source for source in sources if source[1] in self.by_place]
        self.sources[stage] = sources
        queue: deque[int] = deque()
        for holder, place, name in sources:
            if place not in paths:
                label = f".{name}" if name else "referent"
                paths[place] = self._child(self._holder_path(holder), (label, self._type(place), None))
                queue.append(place)
        while queue:
            node = self.by_place[queue.popleft()]
            for slot, place in self.strong(node):
                if place not in paths:
                    path = paths[node.place]
                    paths[place] = self._child(path, self._step(path, node, slot, place))
                    queue.append(place)

    def _holder_path(self, holder: int) -> Path_:
        above = self._holder_path(self.holder_parents[holder]) if holder else ()
        return (*above, (f"holder {holder}", "", None))

    def _type(self, place: int) -> str:
        return self.by_place[place].shape.type_name

    def _step(self, path: Path_, node: Node, slot: int, place: int) -> Step:
        label, position = self.label(node.shape, slot), slot - len(node.shape.edge_names)
        last_label, _, function = path[-1]
        if label == ".__closure__" and node.shape.cell_names:
            return label, self._type(place), node.shape
        if last_label in (".__dict__", ".__globals__"):
            label = self.named_label(node, slot)
        if label == "item" and function and position < len(function.cell_names) and function.cell_names[position]:
            label = f".{function.cell_names[position]}"
        return label, self._type(place), None

    def _child(self, path: Path_, step: Step) -> Path_:
        for above in range(0 if step[0] == ".__dict__" else 4):
            if path[len(path) - 1 - above][0].startswith("holder"):
                break
            if path[len(path) - 1 - above] == step:
                return path[: len(path) - above]
        return path if len(path) > 64 else (*path, step)

    def _garbage_heads(self, reached: Iterable[int]) -> list[int]:
        """Return one object of each cycle, or single object, that nothing else of the garbage leads to."""
        garbage = [place for place in self.by_place if place not in set(reached)]
        garbage.sort(key=lambda place: "." not in self._type(place))
        led_to = {place: self._reach([place], within=set(garbage)) for place in garbage}
        heads: list[int] = []
        visited: set[int] = set()
        for place in garbage:
            if place not in visited:
                heads.append(place)
                visited |= led_to[place]
        found = [head for i, head in enumerate(heads) if not any(head in led_to[other] for other in heads[i + 1 :])]
        return found[::-1]

    def _reach(self, sources: Iterable[int], within: set[int]) -> set[int]:
        reached, pending = set(sources), list(sources)
        while pending:
            for _slot, place in self.strong(self.by_place[pending.pop()]):
                if place in within and place not in reached:
                    reached.add(place)
                    pending.append(place)
        return reached

    @cached_property
    def links(self) -> list[list[int]]:
        """Return what each node keeps alive: objects by number, then holders."""
        objects = len(self.by_place)
        links = [[self.number[place] for _slot, place in self.strong(node)] for node in self.by_place.values()]
        links += [[] for _ in self.holder_parents]
        for holder, parent in enumerate(self.holder_parents):
            if holder:
                links[objects + parent].append(objects + holder)
        assert self.traced.keys() == self.by_place.keys()
        for holder, place, _name in chain.from_iterable(self.sources.values()):
            links[objects + holder].append(self.number[place])
        return links

    @cached_property
    def dominated(self) -> list[set[int]]:
        """Return what becomes unreachable without each node, itself included."""
        everything = self._reachable_without(-1)
        return [everything - self._reachable_without(node) for node in range(len(self.links))]

    def _reachable_without(self, left_out: int) -> set[int]:
        root = len(self.by_place)
        reached = {root} - {left_out}
        pending = list(reached)
        while pending:
            fresh = [v for v in self.links[pending.pop()] if v not in reached and v != left_out]
            reached.update(fresh)
            pending.extend(fresh)
        return reached

    def retained(self, nodes: Iterable[int]) -> int:
        """Return the bytes of all objects that these nodes dominate."""
        sizes = [node.size_bytes for node in self.by_place.values()]
        return sum(sizes[v] for v in set().union(*(self.dominated[node] for node in nodes)) if v < len(sizes))

    def idom(self) -> list[int]:
        """Return the immediate dominator of each node; the root's is the root."""
        root = len(self.by_place)
        closest = [root] * len(self.links)
        for node in sorted(range(len(self.links)), key=lambda node: -len(self.dominated[node])):
            for below in self.dominated[node] - {node}:
                closest[below] = node
        return closest
