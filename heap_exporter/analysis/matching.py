"""The trees of paths of two snapshots laid over each other: the same steps, numbers aside, to the same type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from heap_exporter.analysis.paths import normal
from heap_exporter.analysis.results import Change, Group, Heap

_NOTHING = Group(-1, "", "", 0, 0, 0, 0)


@dataclass(slots=True, eq=False)
class Pair:
    """What two snapshots have of one group; ``before`` or ``after`` is None where only the other one has it.

    ``gained_bytes`` is by how much the groups from here down grew that did; what shrank takes nothing away.
    """

    parent: Pair | None
    label: str
    type_name: str
    before: Group | None = None
    after: Group | None = None
    children: list[Pair] = field(default_factory=list)
    gained_bytes: int = 0

    @property
    def objects(self) -> Change:
        """How many objects there are of the type."""
        return Change((self.before or _NOTHING).objects, (self.after or _NOTHING).objects)

    @property
    def shallow_bytes(self) -> Change:
        """The bytes of the objects themselves."""
        return Change((self.before or _NOTHING).shallow_bytes, (self.after or _NOTHING).shallow_bytes)

    @property
    def retained_bytes(self) -> Change:
        """The bytes that the objects would free."""
        return Change((self.before or _NOTHING).retained_bytes, (self.after or _NOTHING).retained_bytes)

    @property
    def total_bytes(self) -> Change:
        """The bytes of all groups from here down."""
        return Change((self.before or _NOTHING).total_bytes, (self.after or _NOTHING).total_bytes)

    @property
    def is_in_both(self) -> bool:
        """Whether both snapshots have it."""
        return self.before is not None and self.after is not None

    def trail(self) -> list[Pair]:
        """Return the pairs from the root to this one."""
        trail, pair = [], self
        while pair.parent is not None:
            trail.append(pair)
            pair = pair.parent
        return [pair, *reversed(trail)]


def match(before: Heap, after: Heap) -> list[Pair]:
    """Return all pairs, parents before children; the first is the root."""
    found: dict[tuple[int, str, str], Pair] = {}
    pairs_after = _place(after.groups, found, {})
    pairs_before = _place(before.groups, found, _moved(before.groups, after.groups, pairs_after))
    for group, pair in zip(after.groups, pairs_after, strict=True):
        pair.after = group
    for group, pair in zip(before.groups, pairs_before, strict=True):
        pair.before = group
    pairs = list(found.values())
    for pair in reversed(pairs):
        pair.gained_bytes += max(0, pair.shallow_bytes.growth)
        if pair.parent is not None:
            pair.parent.gained_bytes += pair.gained_bytes
    return pairs


def _place(groups: Sequence[Group], found: dict[tuple[int, str, str], Pair], known: dict[int, Pair]) -> list[Pair]:
    """Return the pair of each group, those that are not ``known`` by the group's index entered into ``found``."""
    placed: list[Pair] = []
    for index, group in enumerate(groups):
        parent = placed[group.parent] if group.parent >= 0 else None
        key = (id(parent) if parent else 0, normal(group.label), group.type_name)
        pair = known.get(index) or found.get(key)
        if pair is None:
            pair = found[key] = Pair(parent, group.label, group.type_name)
            if parent:
                parent.children.append(pair)
        placed.append(pair)
    return placed


def _moved(before: Sequence[Group], after: Sequence[Group], pairs: Sequence[Pair]) -> dict[int, Pair]:
    """Return the pairs of globals that two modules have, of which each snapshot names another.

    Which module a global belongs to may show only once there is something in it.
    """
    globals_before, globals_after = _globals(before), _globals(after)
    gone: dict[tuple[str, str], list[int]] = {}
    come: dict[tuple[str, str], list[int]] = {}
    for (label, name, type_name), index in globals_before.items():
        if (label, name, type_name) not in globals_after:
            gone.setdefault((name, type_name), []).append(index)
    for (label, name, type_name), index in globals_after.items():
        if (label, name, type_name) not in globals_before:
            come.setdefault((name, type_name), []).append(index)
    return {gone[key][0]: pairs[come[key][0]] for key in gone.keys() & come.keys() if len(gone[key] + come[key]) == 2}


def _globals(groups: Sequence[Group]) -> dict[tuple[str, str, str], int]:
    """Return the index of the group of each global, by its step, its name without the module, and its type."""
    return {
        (normal(group.label), normal(group.label.removeprefix(module.label)), group.type_name): index
        for index, group in enumerate(groups)
        if group.parent >= 0 and (module := groups[group.parent]).type_name == "module"
        if group.label.startswith(f"{module.label}.")
    }
