"""The changes between two snapshots: by type, by path, and the places where objects accumulate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from heap_exporter.analysis.matching import Pair, match_groups
from heap_exporter.analysis.native_growth import native_growth
from heap_exporter.analysis.results import (
    Change,
    ChangeKind,
    Diff,
    Heap,
    NewGroup,
    PathChange,
    Suspect,
    TypeChange,
    TypeRow,
)
from heap_exporter.analysis.suspects import find_suspects, native_suspect
from heap_exporter.heapfile.header import Header
from heap_exporter.model.paths import StepKind
from heap_exporter.model.runtime_names import family_of

MIN_NEW_BYTES = 1024 * 1024
MIN_NEW_SHARE = 0.5
"""The least bytes of a new group that is reported, and its least share of the growth: at most one group has that."""

_CODE_TYPES = ("module", "type")

RESTART_SECONDS = 60.0
"""The start times of one process in two snapshots differ by less, by the accuracy of their clocks."""


def compare(before: Heap, after: Heap) -> Diff:
    """Return what grew from one snapshot to a later one, by type and by retainer path.

    Objects match by path and type, never by address: the snapshots may be of different processes, with no minutes
    between them. Snapshots of different walkers are not searched for suspects.
    """
    pairs = match_groups(before, after)
    seconds = after.header.taken_at - before.header.taken_at
    is_one_process = _is_one_process(before.header, after.header)
    minutes = seconds / 60 if seconds > 0 and is_one_process else None
    types = _type_changes(before.types, after.types)
    is_comparable = before.header.walker == after.header.walker
    native_bytes = native_growth(before, after) if is_comparable and minutes else None
    suspects = _suspects(pairs, after, native_bytes, minutes) if is_comparable else ()
    return Diff(
        before=before,
        after=after,
        minutes=minutes,
        types=types,
        paths=_path_changes(pairs, None if is_one_process else {change.type_name: change.objects for change in types}),
        suspects=suspects,
        new_group=_large_new_group(pairs[0]) if is_comparable and not suspects else None,
        is_comparable=is_comparable,
        native_bytes=native_bytes,
    )


def _suspects(
    pairs: Sequence[Pair], after: Heap, native_bytes: int | None, minutes: float | None
) -> tuple[Suspect, ...]:
    """Return the suspects: first the handles of new native memory (objects that own it), then the others."""
    handles = native_suspect(pairs, native_bytes, minutes) if native_bytes else None
    others = find_suspects(pairs, after.holdings[0].objects, minutes)
    if handles is None:
        return others
    return (handles, *(each for each in others if each.fingerprint != handles.fingerprint))


def was_restarted(before: Header, after: Header) -> bool:
    """Return whether the process of two compared snapshots was restarted in between, as far as the headers show."""
    if before.uptime_seconds is None or after.uptime_seconds is None:
        return False
    started, started_after = before.taken_at - before.uptime_seconds, after.taken_at - after.uptime_seconds
    return abs(started_after - started) > RESTART_SECONDS


def _is_one_process(before: Header, after: Header) -> bool:
    return before.pid == after.pid and not was_restarted(before, after)


def _type_changes(before: Sequence[TypeRow], after: Sequence[TypeRow]) -> tuple[TypeChange, ...]:
    none = TypeRow("", 0, 0, 0)
    names = _matched_names(before, after)
    rows_before, rows_after = (_by_name(rows, names) for rows in (before, after))
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
    changed = (change for change in changes if change.kind is not ChangeKind.SAME)
    return tuple(sorted(changed, key=lambda change: (-change.retained_bytes.growth, change.type_name)))


def _matched_names(before: Sequence[TypeRow], after: Sequence[TypeRow]) -> dict[str, str]:
    """Return the family of each type name that only one of two snapshots has, if other such names belong to it too."""
    old, new = ({row.type_name for row in rows} for rows in (before, after))
    members = Counter(map(family_of, old ^ new))
    return {name: family_of(name) for name in old ^ new if members[family_of(name)] > 1}


def _by_name(rows: Sequence[TypeRow], names: Mapping[str, str]) -> dict[str, TypeRow]:
    """Return a snapshot's types by name; types to which ``names`` gives the same name are summed."""
    rows_by_name: dict[str, TypeRow] = {}
    for row in rows:
        name = names.get(row.type_name, row.type_name)
        same = rows_by_name.get(name, TypeRow(name, 0, 0, 0))
        rows_by_name[name] = TypeRow(
            name,
            same.objects + row.objects,
            same.shallow_bytes + row.shallow_bytes,
            same.retained_bytes + row.retained_bytes,
        )
    return rows_by_name


def _path_changes(pairs: Sequence[Pair], types: Mapping[str, Change] | None) -> tuple[PathChange, ...]:
    """Return the changes by path. ``types`` are the changes by type, ``None`` if one process took both snapshots."""
    changes = (
        PathChange(
            pair.path(),
            pair.type_name,
            pair.objects,
            pair.shallow_bytes,
            pair.retained_bytes,
            pair.total_bytes,
            is_elsewhere=types is not None and _is_elsewhere(pair, types.get(pair.type_name)),
        )
        for pair in pairs
        if pair.type_name and (pair.objects.growth or pair.total_bytes.growth)
    )
    return tuple(sorted(changes, key=lambda change: (-change.total_bytes.growth, change.steps)))


def _is_elsewhere(pair: Pair, in_all: Change | None) -> bool:
    """Return whether objects that only one program has behind a path may be behind other paths in the other one.

    They may if it has no fewer of the type. Functions and classes of a module that both have are the same in both.
    """
    growth = in_all.growth if in_all else 0
    if not pair.objects.after:
        return growth >= 0 or _is_code_of_both(pair)
    return not pair.objects.before and growth <= 0


def _is_code_of_both(pair: Pair) -> bool:
    trail = pair.trail()
    if len(trail) < 4:
        return False
    module, code = trail[2:4]
    is_in_both = module.step.kind is StepKind.MODULE and module.step.name != "__main__" and module.is_in_both
    return is_in_both and code.type_name in ("function", "type")


def _large_new_group(root: Pair) -> NewGroup | None:
    """Return the topmost path group that only the later of two snapshots has, if it is large.

    Modules, classes and whole threads do not count.

    Two snapshots do not show whether it continues to grow.
    """
    min_bytes = max(MIN_NEW_BYTES, MIN_NEW_SHARE * root.gained_bytes)
    pair = root
    while pair.is_in_both:
        heaviest = max(pair.children, key=lambda child: child.gained_bytes, default=None)
        if heaviest is None or heaviest.gained_bytes < min_bytes:
            return None
        pair = heaviest
    is_data = pair.type_name and pair.type_name not in _CODE_TYPES
    if not is_data or pair.trail()[1].step.kind not in (StepKind.MODULES, StepKind.THREADS):
        return None
    return NewGroup(pair.path(), pair.gained_bytes)
