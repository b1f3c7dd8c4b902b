"""Which module defines a global that several modules have.

``from shop.sessions import SESSIONS`` puts the global into a second module, and the importing module may come first in
``sys.modules``. A path names the module that defines the global. The object itself shows which module that is, or the
imports between the modules do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from heap_exporter.analysis.graph import EMPTY, MODULES, NAMED, Graph

MAX_LOOKED_AT = 100
"""References of one object that are looked at."""

MAX_GLOBALS = 10_000
"""Globals of one module that are looked at; a module with more of them keeps data there."""


def defining_namespaces(graph: Graph) -> dict[int, int]:
    """Return the path groups of globals that another module defines → the path group of that module."""
    if "__dict__" not in graph.strings:
        return {}
    return _ModuleOwnership(graph).moved_groups()


class _ModuleOwnership:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._namespaces: dict[int, str] = dict(self._find_namespaces())
        self._imports: dict[int, set[int]] = {namespace: set() for namespace in self._namespaces}
        self._known: dict[int, int | None] = {}
        self._owners: dict[tuple[int, int], list[int]] = {}
        for namespace in self._namespaces:
            for name, value in self._entries(namespace):
                self._owners.setdefault((name, value), []).append(namespace)
                source = self._of_code(value)
                if source is not None:
                    self._imports[namespace].add(source)

    def moved_groups(self) -> dict[int, int]:
        """Return path groups of globals → the path group of the defining module: see :func:`defining_namespaces`."""
        group, parent = self._graph.group, self._graph.group_parent
        moved = {}
        for (_name, value), owners in self._owners.items():
            current = parent[group[value]]
            if len(owners) > 1 and current in (group[owner] for owner in owners):
                definer = self._definer(value, owners)
                if definer is not None and group[definer] != current:
                    moved[group[value]] = group[definer]
        return moved

    def _find_namespaces(self) -> Iterator[tuple[int, str]]:
        graph = self._graph
        label = graph.strings.index("__dict__") + NAMED
        for holder, module, root_label in graph.root_edges:
            if holder == MODULES and root_label >= NAMED:
                for target in self._targets(module):
                    group = graph.group[target]
                    if graph.group_label[group] == label and graph.group_parent[group] == graph.group[module]:
                        yield target, graph.strings[root_label - NAMED]

    def _targets(self, node: int) -> Iterator[int]:
        graph = self._graph
        return (target for target in graph.targets[graph.offsets[node] : graph.offsets[node + 1]] if target != EMPTY)

    def _entries(self, namespace: int) -> Iterator[tuple[int, int]]:
        graph = self._graph
        slots = graph.targets[graph.offsets[namespace] : graph.offsets[namespace + 1]]
        pairs = islice(zip(slots[::2], slots[1::2], strict=False), MAX_GLOBALS)
        return ((name, value) for name, value in pairs if value != EMPTY)

    def _type_name(self, node: int) -> str:
        return self._graph.types[self._graph.type_of[node]]

    def _definer(self, value: int, owners: list[int]) -> int | None:
        """Return the module that defines a global, ``None`` if the snapshot's graph does not show it."""
        definer = self._of_code(value)
        if definer in owners:
            return definer
        for module in self._modules_of_types(value):
            for owner in owners:
                if self._namespaces[owner] == module:
                    return owner
        importing_none = [owner for owner in owners if not self._imports[owner] & {*owners} - {owner}]
        return importing_none[0] if len(importing_none) == 1 else None

    def _of_code(self, value: int) -> int | None:
        """Return the node of the module namespace that defines a function, or most methods of a class."""
        if value not in self._known:
            self._known[value] = None  # a class may be among its own attributes
            self._known[value] = self._find_code(value)
        return self._known[value]

    def _find_code(self, value: int) -> int | None:
        if self._type_name(value) == "function":
            return next((target for target in self._targets(value) if target in self._namespaces), None)
        dicts = [target for target in self._targets(value) if self._type_name(target) == "dict"]
        if len(dicts) != 1 or dicts[0] in self._namespaces:
            return None
        methods = islice((each for _name, each in self._entries(dicts[0])), MAX_LOOKED_AT)
        codes = Counter(self._of_code(each) for each in methods if self._type_name(each) == "function")
        return codes.most_common(1)[0][0] if codes else None

    def _modules_of_types(self, value: int) -> Iterator[str]:
        """Yield the module of an object's type, then the modules of the types of its referents, most frequent first."""
        yield self._type_name(value).rpartition(".")[0]
        held = islice(self._targets(value), MAX_LOOKED_AT)
        modules = Counter(self._type_name(each).rpartition(".")[0] for each in held)
        yield from (module for module, _count in modules.most_common() if module)
