"""Summaries of heaps, built from trees of groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from heap_exporter.analysis.results import (
    Change,
    Diff,
    Group,
    Heap,
    Holding,
    HoldingKind,
    NewGroup,
    PathChange,
    Suspect,
    TypeChange,
    TypeRow,
)
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.model import LeakPattern, Step, StepKind
from tests.heaps.steps import path, step

NOTHING = Group(-1, Step(StepKind.ROOT), "", 0, 0, 0, 0)
MINUTES = 15.0


@dataclass(frozen=True)
class Branch:
    """A group and what is below it; its objects have ``each`` bytes."""

    label: str
    type_name: str = ""
    objects: int = 0
    each: int = 0
    below: tuple[Branch, ...] = ()

    def total_bytes(self) -> int:
        return self.objects * self.each + sum(branch.total_bytes() for branch in self.below)


def shop(sessions: int) -> Branch:
    """Return a shop whose session store has the given number of sessions."""
    item = Branch("list item", "shop.items.Item", sessions * 3, 96)
    cart = Branch("Session.cart", "list", sessions, 88, (item,))
    store = Branch(
        "shop.sessions.SESSIONS", "dict", 1, 1000, (Branch("dict value", "shop.Session", sessions, 48, (cart,)),)
    )
    product = Branch("dict value", "shop.products.Product", 500, 480)
    products = Branch("shop.products.PRODUCTS", "dict", 1, 5000, (product,))
    modules = (
        Branch("shop.sessions", "module", 1, 72, (store,)),
        Branch("shop.products", "module", 1, 72, (products,)),
    )
    local = Branch("thread MainThread › main() › cache", "dict", 1, 90_000)
    cycle = Branch("Node", "shop.Node", 40, 64)
    return Branch(
        "",
        below=(
            Branch("modules", below=modules),
            Branch("threads", below=(Branch("thread MainThread", below=(local,)),)),
            Branch("garbage", below=(cycle,)),
        ),
    )


def heap(root: Branch, path: str = "a.heap", **header: object) -> Heap:
    """Return the summary of a heap with this tree of groups."""
    groups = tuple(_groups(root))
    return Heap(
        Path(path),
        replace(HEADER, **{"id": path, **header}),  # type: ignore[arg-type]  # the fields of a header
        FOOTER,
        sum(group.objects for group in groups),
        12_345,
        0,
        root.total_bytes(),
        tuple(_types(groups)),
        groups,
        (
            Holding(
                HoldingKind.REACHABLE,
                sum(group.objects for group in groups),
                root.total_bytes(),
                tuple(_types(groups)[:10]),
            ),
            Holding(HoldingKind.OUTSIDE, 0, 0, ()),
            Holding(HoldingKind.GARBAGE, 0, 0, ()),
        ),
    )


def diff(before: Heap, after: Heap, suspects: Sequence[Suspect] = (), new_group: NewGroup | None = None) -> Diff:
    """Return what changed between two summaries, by comparison of their paths."""
    return Diff(
        before,
        after,
        MINUTES,
        tuple(_type_changes(before, after)),
        tuple(_path_changes(before, after)),
        tuple(suspects),
        new_group,
    )


def suspect(gained: int = 48_210, **fields: object) -> Suspect:
    """Return a suspicion of the session store."""
    return replace(
        Suspect(
            fingerprint="0123456789ab",
            type_name="shop.Session",
            holder=path("shop.sessions.SESSIONS"),
            path=path("shop.sessions.SESSIONS", "dict value"),
            objects=Change(1000, 1000 + gained),
            shallow_bytes=Change(48_000, 48_000 + gained * 48),
            retained_bytes=Change(424_000, 424_000 + gained * 424),
            total_bytes=Change(424_000, 424_000 + gained * 424),
            share=0.98,
            bytes_per_minute=gained * 424 / MINUTES,
            holding=HoldingKind.REACHABLE,
            pattern=LeakPattern.UNBOUNDED_MAPPING,
        ),
        **fields,  # type: ignore[arg-type]  # the fields of a suspect
    )


def _groups(root: Branch) -> Iterator[Group]:
    todo, number = [(root, -1)], 0
    while number < len(todo):
        branch, parent = todo[number]
        total = branch.total_bytes()
        yield Group(
            parent, step(branch.label), branch.type_name, branch.objects, branch.objects * branch.each, total, total
        )
        todo += [(child, number) for child in branch.below]
        number += 1


def _types(groups: Sequence[Group]) -> list[TypeRow]:
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for group in groups:
        figures = (group.objects, group.shallow_bytes, group.retained_bytes)
        found[group.type_name] = [old + new for old, new in zip(found[group.type_name], figures, strict=True)]
    found.pop("", None)
    return sorted((TypeRow(name, *figures) for name, figures in found.items()), key=lambda row: -row.retained_bytes)


def _type_changes(before: Heap, after: Heap) -> list[TypeChange]:
    old, new = ({row.type_name: row for row in found.types} for found in (before, after))
    rows = [(old.get(name, TypeRow(name, 0, 0, 0)), new.get(name, TypeRow(name, 0, 0, 0))) for name in {**new, **old}]
    changes = [
        TypeChange(
            was.type_name,
            Change(was.objects, now.objects),
            Change(was.shallow_bytes, now.shallow_bytes),
            Change(was.retained_bytes, now.retained_bytes),
        )
        for was, now in rows
    ]
    return sorted(changes, key=lambda change: -change.retained_bytes.growth)


def _path_changes(before: Heap, after: Heap) -> list[PathChange]:
    old, new = (
        {(found.steps(index), group.type_name): group for index, group in enumerate(found.groups) if group.type_name}
        for found in (before, after)
    )
    changes = []
    for steps, type_name in {**new, **old}:
        was, now = old.get((steps, type_name), NOTHING), new.get((steps, type_name), NOTHING)
        changes.append(
            PathChange(
                steps,
                type_name,
                Change(was.objects, now.objects),
                Change(was.shallow_bytes, now.shallow_bytes),
                Change(was.retained_bytes, now.retained_bytes),
                Change(was.total_bytes, now.total_bytes),
            )
        )
    return sorted(
        (change for change in changes if change.total_bytes.growth), key=lambda change: -change.total_bytes.growth
    )


HEADER = Header(
    content="graph",
    id="a",
    taken_at=1.7e9,
    reason="a reason",
    walker="native",
    pid=4711,
    uptime_seconds=86_400.0,
    python_version="3.13.0",
    implementation="cpython",
)
FOOTER = Footer(objects=4, references=5, duration_seconds=0.5, pause_seconds=0.25, cpu_seconds=0.5)
