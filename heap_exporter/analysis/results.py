"""The words of the analysis: what a snapshot holds, by type and by path, and what changed between two. Pure values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal, Protocol

from heap_exporter.heapfile.header import Footer, Header

ARROW = " → "
"""Stands between the steps of a path."""

INWARDS = " › "
"""Stands between a thread, its frames and their variables, which are one step together."""

_SELF_EVIDENT = ("modules", "threads")
"""Labels of topmost groups that go without saying: the names below them tell where they are."""

Kind = Literal["new", "gone", "grown", "shrunk", "same"]
HoldingName = Literal["reachable", "held from outside", "garbage"]


class Progress(Protocol):
    """Is told how far a stage has come: ``done`` goes from 0 to 1."""

    def __call__(self, stage: str, done: float) -> None: ...


def silent(stage: str, done: float) -> None:
    """Tell nobody how far a stage has come: a :class:`Progress`."""


def short_name(type_name: str) -> str:
    """Return the name of a type without its module and without the functions around it."""
    return type_name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class TypeRow:
    """What there is of one type. ``retained_bytes`` is what all its objects together would free."""

    type_name: str
    objects: int
    shallow_bytes: int
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class Group:
    """Objects of one type that are held in the same way: a node of the tree of paths.

    ``parent`` is the index of the group that holds them (-1: none). ``label`` is the step to them, as text.
    ``type_name`` is "" for a group that only holds others: the modules, a thread, a frame. ``objects`` counts those of
    the type; the dictionaries behind their attributes are no objects of their own here, but count in the bytes.
    ``total_bytes`` are the shallow bytes of this group and of all below it; each object is in exactly one group.
    """

    parent: int
    label: str
    type_name: str
    objects: int
    shallow_bytes: int
    retained_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held in one of three ways: reachable from roots, from outside the graph (by C code), or by cycles only.

    ``types`` has the ten largest by retained bytes.
    """

    name: HoldingName
    objects: int
    shallow_bytes: int
    types: tuple[TypeRow, ...]


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

    def steps(self, index: int) -> tuple[str, ...]:
        """Return the steps from a root to the objects of a group; none for the root itself."""
        labels: list[str] = []
        while index >= 0:
            labels.append(self.groups[index].label)
            index = self.groups[index].parent
        return joined_steps(labels[::-1])

    def path_text(self, index: int) -> str:
        """Return the steps to a group and its type, as one line: ``shop.sessions.SESSIONS → dict value → Session``."""
        return path_text(self.steps(index), self.groups[index].type_name)


@dataclass(frozen=True, slots=True)
class Change:
    """A figure in the snapshot before and in the one after."""

    before: int
    after: int

    @property
    def growth(self) -> int:
        """How much more there is after; negative if there is less."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class TypeChange:
    """What became of one type."""

    type_name: str
    objects: Change
    shallow_bytes: Change
    retained_bytes: Change

    @property
    def kind(self) -> Kind:
        """Whether the type is new, gone, or has more or less of retained bytes, or else of objects."""
        return _kind(self.objects, self.retained_bytes)


@dataclass(frozen=True, slots=True)
class PathChange:
    """What became of the objects of one type behind one path."""

    steps: tuple[str, ...]
    type_name: str
    objects: Change
    shallow_bytes: Change
    retained_bytes: Change
    total_bytes: Change

    @property
    def kind(self) -> Kind:
        """Whether the path is new, gone, or has more or less of total bytes, or else of objects."""
        return _kind(self.objects, self.total_bytes)

    @property
    def text(self) -> str:
        """The path as one line, the type at its end."""
        return path_text(self.steps, self.type_name)


@dataclass(frozen=True, slots=True)
class Suspect:
    """One place where objects accumulate.

    ``type_name`` is what accumulates, ``holder`` where, ``path`` the steps to it. Objects, shallow and retained bytes
    are of those that ``path`` leads to; ``total_bytes`` are of all that accumulates in the holder (keys and values,
    items of all types, and what hangs on them) and of the holder's own table; ``bytes_per_minute`` is their growth, and
    ``share`` is the part that they gained of all that the heap did, 0 to 1. ``advice`` may be "".
    """

    fingerprint: str
    type_name: str
    holder: str
    path: tuple[str, ...]
    objects: Change
    shallow_bytes: Change
    retained_bytes: Change
    total_bytes: Change
    share: float
    bytes_per_minute: float | None
    holding: HoldingName
    advice: str


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed from one snapshot to a later one; ``minutes`` lie between them, None if their times say nothing.

    They do not in two processes, nor if the later snapshot was taken first.
    Types and paths come by falling growth (of retained and of total bytes), suspects by falling growth of total bytes.
    """

    before: Heap
    after: Heap
    minutes: float | None
    types: tuple[TypeChange, ...]
    paths: tuple[PathChange, ...]
    suspects: tuple[Suspect, ...]
    verdict: str


def joined_steps(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the steps of a path from the labels of all groups on it, the root first.

    A step that the next one continues is left out: "shop.sessions" before "shop.sessions.SESSIONS", a thread before
    its frames. So are the root, the modules and the threads, which go without saying.
    """
    steps = list(labels[2 if len(labels) > 1 and labels[1] in _SELF_EVIDENT else 1 :])
    return tuple(
        step
        for step, following in zip_longest(steps, steps[1:], fillvalue="")
        if not following.startswith((f"{step}.", f"{step}{INWARDS}"))
    )


def path_text(steps: tuple[str, ...], type_name: str) -> str:
    """Return a path as one line, ending in the short name of the type unless the last step says it already."""
    name = short_name(type_name)
    says_it = name in ("", "module") or (steps and steps[-1].endswith(name))
    return ARROW.join(steps if says_it else (*steps, name))


def _kind(objects: Change, size_bytes: Change) -> Kind:
    if not objects.before and objects.after:
        return "new"
    if objects.before and not objects.after:
        return "gone"
    growth = size_bytes.growth or objects.growth
    return "grown" if growth > 0 else "shrunk" if growth < 0 else "same"
