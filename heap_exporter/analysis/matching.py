"""Matches the trees of paths of two snapshots: the same steps to the same type; run-time names match as families.

A type that both snapshots have keeps its name; types that only one of them has are matched by their family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from heap_exporter.analysis.results import Change, Group, Heap, retainer_path
from heap_exporter.model.paths import RetainerPath, Step, StepKind
from heap_exporter.model.runtime_names import family_of, normalised

_NOTHING = Group(-1, Step(StepKind.ROOT), "", 0, 0, 0, 0)

_Key = tuple[int, Step, str]
"""The identity of a pair: its parent, its step, and the type."""


@dataclass(slots=True, eq=False)
class Pair:
    """One group in two snapshots; ``before`` or ``after`` is ``None`` where only the other snapshot has it.

    ``gained_bytes`` is the sum of the growth of all groups in the subtree that grew; groups that shrank do not count.
    """

    parent: Pair | None
    step: Step
    type_name: str
    before: Group | None = None
    after: Group | None = None
    children: list[Pair] = field(default_factory=list)
    gained_bytes: int = 0

    @property
    def objects(self) -> Change:
        """The number of objects of the type in each of two snapshots."""
        return Change((self.before or _NOTHING).objects, (self.after or _NOTHING).objects)

    @property
    def shallow_bytes(self) -> Change:
        """The shallow bytes of the objects in each of two snapshots."""
        return Change((self.before or _NOTHING).shallow_bytes, (self.after or _NOTHING).shallow_bytes)

    @property
    def retained_bytes(self) -> Change:
        """The bytes that would be freed with the objects, in each of two snapshots."""
        return Change((self.before or _NOTHING).retained_bytes, (self.after or _NOTHING).retained_bytes)

    @property
    def total_bytes(self) -> Change:
        """The bytes of all path groups in the subtree, in each of two snapshots."""
        return Change((self.before or _NOTHING).total_bytes, (self.after or _NOTHING).total_bytes)

    @property
    def is_in_both(self) -> bool:
        """Whether both snapshots have the path group."""
        return self.before is not None and self.after is not None

    def trail(self) -> list[Pair]:
        """Return the pairs of path groups from the root to this one."""
        trail, pair = [], self
        while pair.parent is not None:
            trail.append(pair)
            pair = pair.parent
        return [pair, *reversed(trail)]

    def all_below(self) -> list[Pair]:
        """Return all pairs of path groups in the subtree, parents before children, without this one."""
        found = list(self.children)
        for each in found:
            found.extend(each.children)
        return found

    def path(self) -> RetainerPath:
        """Return the retainer path: the steps from a root to the objects."""
        return retainer_path([pair.step for pair in self.trail()])


def match_groups(before: Heap, after: Heap) -> list[Pair]:
    """Return the path groups of two snapshots in pairs, parents before children; the first is the root."""
    pairs_by_key: dict[_Key, Pair] = {}
    types_before, types_after = ({group.type_name for group in each.groups} for each in (before, after))
    lasting = types_before & types_after
    pairs_after = _place(after.groups, pairs_by_key, {}, lasting)
    moved = _moved_globals(before.groups, after.groups, pairs_after)
    pairs_before = _place(before.groups, pairs_by_key, moved, lasting)
    for group, pair in zip(after.groups, pairs_after, strict=True):
        pair.after = _together(pair.after, group)
    for group, pair in zip(before.groups, pairs_before, strict=True):
        pair.before = _together(pair.before, group)
    pairs = list(pairs_by_key.values())
    for pair in reversed(pairs):
        pair.gained_bytes += max(0, pair.shallow_bytes.growth)
        if pair.parent is not None:
            pair.parent.gained_bytes += pair.gained_bytes
    return pairs


def _place(
    groups: Sequence[Group], pairs_by_key: dict[_Key, Pair], known: dict[int, Pair], lasting: set[str]
) -> list[Pair]:
    """Return the pair of each path group: from ``known`` by its index, or else from ``pairs_by_key``, or added there.

    ``lasting`` are the types that both snapshots have.
    """
    placed: list[Pair] = []
    for index, group in enumerate(groups):
        parent = placed[group.parent] if group.parent >= 0 else None
        family = group.type_name if group.type_name in lasting else family_of(group.type_name)
        key = (id(parent) if parent else 0, normalised(group.step), family)
        pair = known.get(index) or pairs_by_key.get(key)
        if pair is None:
            pair = pairs_by_key[key] = Pair(parent, group.step, group.type_name)
            if parent:
                parent.children.append(pair)
        elif index not in known:
            pair.step = pair.step if pair.step == group.step else key[1]
            pair.type_name = pair.type_name if pair.type_name == group.type_name else family
        placed.append(pair)
    return placed


def _together(one: Group | None, other: Group) -> Group:
    """Return the sum of two path groups of a snapshot that belong to one pair."""
    if one is None:
        return other
    return replace(
        one,
        objects=one.objects + other.objects,
        shallow_bytes=one.shallow_bytes + other.shallow_bytes,
        retained_bytes=one.retained_bytes + other.retained_bytes,
        total_bytes=one.total_bytes + other.total_bytes,
    )


def _moved_globals(before: Sequence[Group], after: Sequence[Group], pairs: Sequence[Pair]) -> dict[int, Pair]:
    """Return the pairs of globals that each of two snapshots ascribes to another module; both have both modules.

    The module that defines a global may show only once the global has contents.
    """
    modules_before, modules_after = _modules(before), _modules(after)
    globals_before, globals_after = _globals(before), _globals(after)
    gone: dict[tuple[str, str], list[int]] = {}
    come: dict[tuple[str, str], list[int]] = {}
    for (step, type_name), index in globals_before.items():
        if (step, type_name) not in globals_after and step.owner_type in modules_after:
            gone.setdefault((step.name, type_name), []).append(index)
    for (step, type_name), index in globals_after.items():
        if (step, type_name) not in globals_before and step.owner_type in modules_before:
            come.setdefault((step.name, type_name), []).append(index)
    return {gone[key][0]: pairs[come[key][0]] for key in gone.keys() & come.keys() if len(gone[key] + come[key]) == 2}


def _modules(groups: Sequence[Group]) -> set[str]:
    return {normalised(group.step).name for group in groups if group.step.kind is StepKind.MODULE}


def _globals(groups: Sequence[Group]) -> dict[tuple[Step, str], int]:
    """Return the index of the path group of each module's global, by its step and its type."""
    return {
        (normalised(group.step), group.type_name): index
        for index, group in enumerate(groups)
        if group.step.kind is StepKind.MODULE_GLOBAL and groups[group.parent].step.kind is StepKind.MODULE
    }
