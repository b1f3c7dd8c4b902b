"""What changed between two snapshots: by type, by path, and the places where objects accumulate."""

from __future__ import annotations

from collections.abc import Sequence

from heap_exporter.analysis.matching import Pair, match
from heap_exporter.analysis.new_groups import large_newcomer
from heap_exporter.analysis.results import (
    ARROW,
    Change,
    Diff,
    Heap,
    PathChange,
    Suspect,
    TypeChange,
    TypeRow,
    joined_steps,
)
from heap_exporter.analysis.suspects import find_suspects
from heap_exporter.heapfile.header import Header
from heap_exporter.runtime.formatting import size

NO_SUSPECT = "no growth to explain"
NOT_COMPARABLE = "taken by different walkers, which see different things: take both with one"

RESTART_SECONDS = 60.0
"""Two snapshots of one process agree on when it started, to the accuracy of their clocks."""


def compare(before: Heap, after: Heap) -> Diff:
    """Return what changed from one snapshot to a later one.

    Objects are matched by how they are held and by type, never by address, so the two may be of different processes;
    there are no minutes between these. What different walkers saw is not searched for suspects.
    """
    pairs = match(before, after)
    seconds = after.header.taken_at - before.header.taken_at
    minutes = seconds / 60 if seconds > 0 and _is_one_life(before.header, after.header) else None
    is_comparable = before.header.walker == after.header.walker
    suspects = find_suspects(pairs, after.holdings[0].objects, minutes) if is_comparable else ()
    return Diff(
        before=before,
        after=after,
        minutes=minutes,
        types=_type_changes(before.types, after.types),
        paths=_path_changes(pairs),
        suspects=suspects,
        verdict=_verdict(suspects, pairs[0]) if is_comparable else NOT_COMPARABLE,
    )


def was_restarted(before: Header, after: Header) -> bool:
    """Return whether a process that had the same id was started between two snapshots, as far as is known."""
    if before.uptime_seconds is None or after.uptime_seconds is None:
        return False
    started, started_after = before.taken_at - before.uptime_seconds, after.taken_at - after.uptime_seconds
    return abs(started_after - started) > RESTART_SECONDS


def _is_one_life(before: Header, after: Header) -> bool:
    return before.pid == after.pid and not was_restarted(before, after)


def _type_changes(before: Sequence[TypeRow], after: Sequence[TypeRow]) -> tuple[TypeChange, ...]:
    none = TypeRow("", 0, 0, 0)
    rows_before = {row.type_name: row for row in before}
    rows_after = {row.type_name: row for row in after}
    changes = (
        TypeChange(
            name,
            Change(old.objects, new.objects),
            Change(old.shallow_bytes, new.shallow_bytes),
            Change(old.retained_bytes, new.retained_bytes),
        )
        for name in rows_before | rows_after
        for old, new in [(rows_before.get(name, none), rows_after.get(name, none))]
    )
    changed = (change for change in changes if change.kind != "same")
    return tuple(sorted(changed, key=lambda change: (-change.retained_bytes.growth, change.type_name)))


def _path_changes(pairs: Sequence[Pair]) -> tuple[PathChange, ...]:
    changes = (
        PathChange(
            joined_steps([each.label for each in pair.trail()]),
            pair.type_name,
            pair.objects,
            pair.shallow_bytes,
            pair.retained_bytes,
            pair.total_bytes,
        )
        for pair in pairs
        if pair.type_name and (pair.objects.growth or pair.total_bytes.growth)
    )
    return tuple(sorted(changes, key=lambda change: (-change.total_bytes.growth, change.steps)))


def _verdict(suspects: Sequence[Suspect], root: Pair) -> str:
    if not suspects:
        new = large_newcomer(root)
        return f"{NO_SUSPECT} but {_news(new)}" if new else NO_SUSPECT
    first = f"{suspects[0].type_name} accumulates in {suspects[0].holder}"
    more = len(suspects) - 1
    return first if not more else f"{first}; {more} more suspect{'s' if more > 1 else ''}"


def _news(new: Pair) -> str:
    where = ARROW.join(joined_steps([each.label for each in new.trail()]))
    return f"what is new: {size(new.gained_bytes)} in {where}; a third snapshot tells whether it goes on"
