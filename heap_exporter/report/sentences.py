"""What the analysis found, in sentences: for the terminal and for the page. Names stand between `backticks`."""

from __future__ import annotations

from collections.abc import Sequence

from heap_exporter.analysis.diff import was_restarted
from heap_exporter.analysis.results import Diff, Heap, Holding, HoldingKind, TypeRow, short_name
from heap_exporter.heapfile.header import Header
from heap_exporter.model.paths import RetainerPath
from heap_exporter.report.finding_text import code, percent
from heap_exporter.report.path_text import step_texts
from heap_exporter.runtime.formatting import duration, moment, size

HELD = {
    HoldingKind.REACHABLE: "reachable from a root",
    HoldingKind.OUTSIDE: "held from outside the graph, by C code",
    HoldingKind.GARBAGE: "garbage: only cycles hold it, and the collector has not come",
}
"""What each of the three kinds of memory is, by the kind of a :class:`Holding`."""


def largest(heap: Heap, index: int) -> str:
    """Return how much lies behind one path of a snapshot, as a sentence."""
    group = heap.groups[index]
    share = percent(group.total_bytes / (heap.shallow_bytes or 1))
    objects = f"{group.objects:,} {code(short_name(group.type_name))} object{_s(group.objects)}"
    return f"{size(group.total_bytes)}, {share} of the heap: {objects} with all behind"


def way(path: RetainerPath, type_name: str) -> tuple[str, ...]:
    """Return the steps to objects as text and, unless the last one shows it, their type with its module."""
    steps = step_texts(path)
    is_shown = steps and steps[-1].endswith(short_name(type_name))
    return steps if is_shown else (*steps, type_name)


def holds(heap: Heap) -> str:
    """Return how much there is in a snapshot, as a sentence."""
    return f"{heap.objects:,} objects take {size(heap.shallow_bytes)}, with {heap.references:,} references"


def of_type(row: TypeRow) -> str:
    """Return how much there is of a type, as a sentence."""
    objects = f"{row.objects:,} object{_s(row.objects)}"
    return f"{row.type_name}: {objects}, {size(row.shallow_bytes)} shallow, {size(row.retained_bytes)} retained"


def held(holding: Holding) -> str:
    """Return how much is held in one of the three ways, as a sentence."""
    return f"{holding.objects:,} object{_s(holding.objects)}, {size(holding.shallow_bytes)}: {HELD[holding.kind]}"


def taken(header: Header) -> str:
    """Return when and of what process a snapshot was taken."""
    age = f", up for {duration(header.uptime_seconds)}" if header.uptime_seconds is not None else ""
    return (
        f"{moment(header.taken_at)}, process {header.pid}{age}, {header.implementation} {header.python_version}, "
        f"{header.walker} walker, reason: {header.reason or 'none given'}"
    )


def notes(diff: Diff) -> Sequence[str]:
    """Return what a reader must know before trusting a comparison, a sentence each."""
    before, after = diff.before.header, diff.after.header
    found = []
    if before.id == after.id:
        found.append("Both files are the same snapshot: nothing can have grown.")
    elif after.taken_at < before.taken_at:
        earlier = duration(before.taken_at - after.taken_at)
        found.append(f"The second snapshot was taken {earlier} before the first: swap them to see what grew.")
    if before.pid != after.pid:
        found.append(f"They are of different processes ({before.pid}, {after.pid}): growth is their difference.")
    elif was_restarted(before, after):
        found.append("The process was started anew in between: growth is the difference of two lives.")
    interpreters = [f"{header.implementation} {header.python_version}" for header in (before, after)]
    if interpreters[0] != interpreters[1]:
        found.append(f"They are of different interpreters ({', '.join(interpreters)}): sizes may differ for that.")
    if before.walker != after.walker:
        found.append(f"Different walkers took them ({before.walker}, {after.walker}): one sees more than the other.")
    return found


def unknown(heap: Heap) -> str:
    """Return a sentence about references that lead out of the file, or "" where there are none."""
    if not heap.unknown_references:
        return ""
    return (
        f"{heap.unknown_references:,} references lead to objects that are not in the file: heap-exporter's own, or "
        "such as came and went during a portable walk. What hangs on these alone counts as held from outside."
    )


def _s(count: int) -> str:
    return "" if count == 1 else "s"
