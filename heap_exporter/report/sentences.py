"""Facts about snapshots and comparisons in sentences. Names are between `backticks`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from heap_exporter.analysis.diff import was_restarted
from heap_exporter.analysis.results import Diff, Heap, Holding, HoldingKind, TypeRow, short_name
from heap_exporter.heapfile.header import Header
from heap_exporter.model import ReasonKind, SnapshotInfo
from heap_exporter.model.paths import RetainerPath
from heap_exporter.report.advice_text import python_bug_advice
from heap_exporter.report.finding_text import percent
from heap_exporter.report.path_text import code, step_texts
from heap_exporter.runtime.formatting import duration, moment, plural, size
from heap_exporter.runtime.python_bugs import collects_in_increments, parse_version

HOLDING_TEXTS = {
    HoldingKind.REACHABLE: "reachable from a root",
    HoldingKind.OUTSIDE: "held by C code, outside the object graph",
    HoldingKind.GARBAGE: "garbage: only reference cycles hold it, and the garbage collector has not run yet",
}
"""How memory is held, by the kind of a :class:`Holding`."""


HOW_TO_GET_SNAPSHOTS = (
    "`heap-exporter snapshot` takes one of a running service; if a service uses another folder "
    "(HEAP_EXPORTER_SNAPSHOT_DIR), name that folder"
)


def pair_text(folder: Path, before: SnapshotInfo, after: SnapshotInfo) -> str:
    """Return as text which two snapshots of a folder are compared where the user named none."""
    service = f" of {after.service}" if after.service else ""
    return f"comparing the two newest snapshots of process {after.pid}{service} in {folder}: {before.id} and {after.id}"


def no_pair_text(folder: Path, snapshots: Sequence[SnapshotInfo]) -> str:
    """Return as text why no two snapshots of a folder can be compared, and what to do."""
    graphs = [info for info in snapshots if info.content == "graph"]
    if not snapshots:
        return f"there are no snapshots in {folder}; {HOW_TO_GET_SNAPSHOTS}"
    if not graphs:
        return (
            f"{folder} has only censuses, which cannot be compared; take snapshots while more memory is free: "
            "`heap-exporter info FILE` shows why a snapshot is only a census"
        )
    newest = f"take another with `heap-exporter snapshot`, or run `heap-exporter report {quote(str(graphs[0].path))}`"
    if len(graphs) == 1:
        return f"there is only one snapshot in {folder}, and a comparison needs two; {newest}"
    return f"no two snapshots in {folder} are of the same process; {newest}, or name two files to compare"


def group_text(heap: Heap, index: int) -> str:
    """Return a group as text: how much memory it and its subtree hold."""
    group = heap.groups[index]
    share = percent(group.total_bytes / (heap.shallow_bytes or 1))
    name = code(short_name(group.type_name))
    objects = "object with its" if group.objects == 1 else "objects with their"
    return f"{size(group.total_bytes)}, {share} of the heap: {group.objects:,} {name} {objects} subtree"


def steps_to_type(path: RetainerPath, type_name: str) -> tuple[str, ...]:
    """Return the steps to objects as text, with the full name of their type at the end unless the last step has it."""
    steps = step_texts(path)
    is_shown = steps and steps[-1].endswith(short_name(type_name))
    return steps if is_shown else (*steps, type_name)


def heap_text(heap: Heap) -> str:
    """Return a snapshot as text: its numbers of objects, bytes and references."""
    return f"{plural(heap.objects, 'object')}, {size(heap.shallow_bytes)}, {plural(heap.references, 'reference')}"


def type_text(row: TypeRow) -> str:
    """Return a type as text: its number of objects and its sizes."""
    objects = plural(row.objects, "object")
    return f"{row.type_name}: {objects}, {size(row.shallow_bytes)} shallow, {size(row.retained_bytes)} retained"


def holding_text(holding: Holding) -> str:
    """Return as text how much memory is held in one way."""
    return f"{plural(holding.objects, 'object')}, {size(holding.shallow_bytes)}: {HOLDING_TEXTS[holding.kind]}"


def header_text(header: Header) -> str:
    """Return as text when and of which process a snapshot was taken."""
    age = f", uptime {duration(header.uptime_seconds)}" if header.uptime_seconds is not None else ""
    return (
        f"{moment(header.taken_at)}, process {header.pid}{age}, {header.implementation} {header.python_version}, "
        f"{header.walker} walker, reason: {header.reason or 'none given'}"
    )


def comparison_notes(diff: Diff) -> Sequence[str]:
    """Return as text why differences between two snapshots may not be growth, one sentence each."""
    before, after = diff.before.header, diff.after.header
    found = []
    if before.id == after.id:
        found.append("Both files are the same snapshot: there is no growth.")
    elif after.taken_at < before.taken_at:
        earlier = duration(before.taken_at - after.taken_at)
        found.append(f"The second snapshot was taken {earlier} before the first: swap them to see the growth.")
    if before.pid != after.pid:
        found.append(
            f"The snapshots are of different processes ({before.pid}, {after.pid}): the growth shown is the "
            "difference between the two processes."
        )
    elif was_restarted(before, after):
        found.append(
            "The process was restarted between the snapshots: the growth shown is the difference between the two runs."
        )
    interpreters = [f"{header.implementation} {header.python_version}" for header in (before, after)]
    if interpreters[0] != interpreters[1]:
        found.append(f"The interpreters differ ({', '.join(interpreters)}): object sizes may differ too.")
    if before.walker != after.walker:
        found.append(
            f"The heap walkers differ ({before.walker}, {after.walker}): one of the walkers sees more objects."
        )
    is_late = collects_in_increments(parse_version(after.python_version))
    if is_late and any(suspect.holding is HoldingKind.GARBAGE for suspect in diff.suspects):
        found.append(python_bug_advice(ReasonKind.INCREMENTAL_COLLECTOR))
    return found


def unknown_references_text(heap: Heap) -> str:
    """Return a note as text about references to objects that are not in the snapshot, "" if there are none."""
    if not heap.unknown_references:
        return ""
    return (
        f"{plural(heap.unknown_references, 'reference')} lead to objects that are not in the file: objects of "
        "heap-exporter itself, or objects that were created and freed during a heap walk of the portable walker. "
        "Objects that only these references hold count as held from outside the graph."
    )
