"""The values that the analysis returns: the objects of a snapshot by type and by path, and the changes between two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.model.paths import LeakPattern, RetainerPath, Step, StepKind
from heap_exporter.runtime.short_repr import short_repr

_IMPLIED_TOPS = (StepKind.MODULES, StepKind.THREADS)
"""Topmost groups that a path leaves out: the next step implies them."""

FULL_NAMES = (StepKind.MODULE_GLOBAL, StepKind.CLASS_ATTRIBUTE, StepKind.FUNCTION_ATTRIBUTE)
"""Steps whose ``owner_type`` is the full name of a module, a class or a function."""


class ChangeKind(StrEnum):
    """What happened to a type or to a path between two snapshots."""

    NEW = "new"
    GONE = "gone"
    GROWN = "grown"
    SHRUNK = "shrunk"
    SAME = "same"


class HoldingKind(StrEnum):
    """What keeps an object alive: a root, C code outside the graph, or only a reference cycle."""

    REACHABLE = "reachable"
    OUTSIDE = "outside"
    GARBAGE = "garbage"


class ProgressCallback(Protocol):
    """A callback for the progress of a stage: ``done`` goes from 0 to 1."""

    def __call__(self, stage: str, done: float) -> None: ...


def ignore_progress(stage: str, done: float) -> None:
    """Ignore the progress of a stage of the analysis: a :class:`ProgressCallback`."""


@dataclass(frozen=True, slots=True)
class TypeRow:
    """The objects of one type. ``retained_bytes`` would be freed with all of them together."""

    type_name: str
    objects: int
    shallow_bytes: int
    retained_bytes: int

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class Group:
    """Objects of one type that are held in the same way: a node of the tree of paths.

    ``parent`` is the index of the group that refers to them (-1: none), ``step`` is the step from there to them.
    ``type_name`` is "" for a group that stands for no objects: the modules, a thread, a frame. ``objects`` counts the
    objects of the type. The dicts behind their attributes count in the bytes only. ``total_bytes`` are the shallow
    bytes of this group and of all groups below it; each object is in exactly one group.
    """

    parent: int
    step: Step
    type_name: str
    objects: int
    shallow_bytes: int
    retained_bytes: int
    total_bytes: int

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class Holding:
    """The objects that are held in one way. ``types`` has the ten largest by retained bytes."""

    kind: HoldingKind
    objects: int
    shallow_bytes: int
    types: tuple[TypeRow, ...]

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class Heap:
    """One snapshot, summarised: types by falling retained bytes, groups with parents before children."""

    path: Path
    header: Header
    footer: Footer
    objects: int
    references: int
    unknown_references: int
    shallow_bytes: int
    types: tuple[TypeRow, ...]
    groups: tuple[Group, ...]
    holdings: tuple[Holding, ...]

    __repr__ = short_repr

    def steps(self, index: int) -> RetainerPath:
        """Return the retainer path to the objects of a group: the steps from a root; none for the root itself."""
        steps: list[Step] = []
        while index >= 0:
            steps.append(self.groups[index].step)
            index = self.groups[index].parent
        return retainer_path(steps[::-1])


@dataclass(frozen=True, slots=True)
class Change:
    """A value in the earlier snapshot and in the later one."""

    before: int
    after: int

    __repr__ = short_repr

    @property
    def growth(self) -> int:
        """The value in the later of two snapshots minus that in the earlier one."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class TypeChange:
    """The change of the objects of one type."""

    type_name: str
    objects: Change
    shallow_bytes: Change
    retained_bytes: Change

    __repr__ = short_repr

    @property
    def kind(self) -> ChangeKind:
        """The change between two snapshots: new or gone, else by the retained bytes, else by the number of objects."""
        return _kind(self.objects, self.retained_bytes)


@dataclass(frozen=True, slots=True)
class PathChange:
    """The change of the objects of one type behind one path.

    ``is_elsewhere`` is true if one of the snapshots has no such objects behind this path, but at least as many of the
    type in total: the path to an object depends on the modules that the process has imported.
    """

    steps: RetainerPath
    type_name: str
    objects: Change
    shallow_bytes: Change
    retained_bytes: Change
    total_bytes: Change
    is_elsewhere: bool = False

    __repr__ = short_repr

    @property
    def kind(self) -> ChangeKind:
        """The change between two snapshots: new or gone, else by the total bytes, else by the number of objects."""
        return (
            _kind_of_size(self.objects, self.total_bytes)
            if self.is_elsewhere
            else _kind(self.objects, self.total_bytes)
        )


@dataclass(frozen=True, slots=True)
class Suspect:
    """One place where objects accumulate.

    ``type_name`` accumulates, ``holder`` is the path to the object that keeps it, ``path`` the path to the objects
    themselves. Objects, shallow and retained bytes are of the objects at ``path``. ``total_bytes`` are of all that
    accumulates in the holder (keys and values, items of all types, and their subtrees) and of the holder's own table.
    ``bytes_per_minute`` is their growth, ``share`` their part of the growth of the whole heap, 0 to 1. ``pattern`` is
    the leak pattern that the path matches, if any. ``native_bytes`` is the growth of native memory next to the objects,
    if they are handles of such memory; ``bytes_per_minute`` and ``share`` include it.
    """

    fingerprint: str
    type_name: str
    holder: RetainerPath
    path: RetainerPath
    objects: Change
    shallow_bytes: Change
    retained_bytes: Change
    total_bytes: Change
    share: float
    bytes_per_minute: float | None
    holding: HoldingKind
    pattern: LeakPattern | None = None
    native_bytes: int | None = None

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A large group that only the later snapshot has: the path to its objects, and their bytes with the subtree."""

    steps: RetainerPath
    bytes: int

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class Diff:
    """The changes from one snapshot to a later one.

    ``minutes`` is the time between the snapshots, ``None`` if they are of two processes or in the wrong order. Types
    and paths come by falling growth (of retained bytes, of total bytes), suspects by falling growth of total bytes.
    ``new_group`` is the large new group of a comparison without suspects, if there is one. ``is_comparable`` is false
    where two different walkers took the snapshots: nothing is suspected then. ``native_bytes`` is the growth of memory
    in use that belongs to no object, ``None`` if it is unknown.
    """

    before: Heap
    after: Heap
    minutes: float | None
    types: tuple[TypeChange, ...]
    paths: tuple[PathChange, ...]
    suspects: tuple[Suspect, ...]
    new_group: NewGroup | None = None
    is_comparable: bool = True
    native_bytes: int | None = None

    __repr__ = short_repr

    @property
    def gained_bytes(self) -> int:
        """Return the shallow bytes of all objects in the later of two snapshots minus those in the earlier one."""
        return self.after.shallow_bytes - self.before.shallow_bytes


def short_name(type_name: str) -> str:
    """Return a type's name in a retainer path: without its module and without the functions around it."""
    return type_name.rpartition(".")[2]


def retainer_path(steps: Sequence[Step]) -> RetainerPath:
    """Return the retainer path of a group from the steps of all groups above it, the root first, and its own.

    The path leaves out the root, the modules and the threads, and each step that the next step repeats in its
    ``owner_type``: the module before its global, the class before its attribute, a nameless object before
    its attribute.
    """
    below = steps[2 if len(steps) > 1 and steps[1].kind in _IMPLIED_TOPS else 1 :]
    return RetainerPath(
        step
        for step, following in zip_longest(below, below[1:])
        if following is None or not _is_repeated(step, following)
    )


def _is_repeated(step: Step, following: Step) -> bool:
    if following.kind in FULL_NAMES:
        return following.owner_type == _full_name(step)
    is_named_by_type = step.kind is StepKind.ROOT_REFERENCE and step.name == short_name(following.owner_type)
    return is_named_by_type and following.kind is StepKind.ATTRIBUTE


def _full_name(step: Step) -> str | None:
    """Return the name by which later steps of a retainer path refer to an object, ``None`` if it has no such name."""
    if step.kind in FULL_NAMES:
        return f"{step.owner_type}.{step.name}"
    if step.kind is StepKind.ATTRIBUTE:
        return f"{short_name(step.owner_type)}.{step.name}"
    return step.name if step.kind in (StepKind.MODULE, StepKind.ROOT_REFERENCE) else None


def _kind(objects: Change, size_bytes: Change) -> ChangeKind:
    if not objects.before and objects.after:
        return ChangeKind.NEW
    if objects.before and not objects.after:
        return ChangeKind.GONE
    return _kind_of_size(objects, size_bytes)


def _kind_of_size(objects: Change, size_bytes: Change) -> ChangeKind:
    growth = size_bytes.growth or objects.growth
    return ChangeKind.GROWN if growth > 0 else ChangeKind.SHRUNK if growth < 0 else ChangeKind.SAME
