"""The results of the analysis as text for people: sentences and tables, in blocks that a renderer writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heap_exporter.analysis.results import Change, Diff, Heap, Holding, PathChange, Suspect, TypeChange, TypeRow
from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.model import LostGroup, SnapshotInfo
from heap_exporter.report import sentences
from heap_exporter.report.allocation_text import allocated_between_text
from heap_exporter.report.blocks import Block, FactList, IndentedBlock, NameTable, StyledLine
from heap_exporter.report.finding_text import comparison_text, percent, suspect_accumulation
from heap_exporter.report.largest import growth_bytes, largest_paths
from heap_exporter.report.lost_text import group_name, lost_between_text, lost_text, search_limits_text
from heap_exporter.report.path_text import ARROW, path_to_group, path_to_type
from heap_exporter.report.verdict_text import accumulation_summary
from heap_exporter.runtime.formatting import difference, duration, gain, plural, size

GROUPS_SHOWN = 5
INDENT = 3

_EMPTY = StyledLine()


def top(heap: Heap, rows: Sequence[TypeRow]) -> list[Block]:
    """Return the types of a snapshot as text: a table for the terminal."""
    return [
        _plain(f"{heap.path.name}: {sentences.heap_text(heap)}"),
        _EMPTY,
        _types(rows),
        *_rest(len(heap.types) - len(rows), "types"),
    ]


def diff(diff: Diff, limit: int) -> list[Block]:
    """Return tables for the terminal of the types and paths that changed, the largest growth first."""
    return [*_opening(diff), _EMPTY, *_changes(diff, limit, shrunk=True)]


def report(result: Heap | Diff, limit: int, *, verbose: bool = False) -> list[Block]:
    """Return the suspects as text, then tables of growth; of one snapshot, what holds its memory."""
    if isinstance(result, Heap):
        return [
            _plain(f"{result.path.name}: {sentences.heap_text(result)}"),
            _EMPTY,
            *_largest_groups(result),
            *_single(result, limit),
        ]
    suspects = [_suspect(number, suspect, verbose=verbose) for number, suspect in enumerate(result.suspects, 1)]
    return [
        *_opening(result),
        _EMPTY,
        sentence(comparison_text(result), "bold"),
        _EMPTY,
        *(block for blocks in suspects for block in blocks),
        *_allocated(result),
        *_changes(result, limit, shrunk=False),
        *_held(result.after),
    ]


def _allocated(diff: Diff) -> list[Block]:
    """Return what C code has lost and which lines allocated the growth as text, as far as that is known."""
    text = allocated_between_text(diff.before.header, diff.after.header)
    lost = lost_between_text(diff.before.header, diff.after.header)
    return [block for each in (lost, text) if each for block in (sentence(each), _EMPTY)]


def lost(before: Header, after: Header, grown: Sequence[LostGroup], limit: int) -> list[Block]:
    """Return what C code has lost between two snapshots as text: a sentence, and a table for the terminal."""
    elapsed = duration(max(after.taken_at - before.taken_at, 0.0))
    found = lost_text(grown) or "No memory was lost: a pointer leads to all that was allocated"
    rows = [
        _row(f"{group.blocks:,}", size(group.bytes), f"{group.sources:,}", sentence(group_name(group)))
        for group in grown[: limit or None]
    ]
    table = NameTable(("lost", "size", "by themselves", "what"), rows)
    allocated, unseen = allocated_between_text(before, after), search_limits_text(after)
    return [
        _plain(f"{elapsed} from {before.id} to {after.id}"),
        _EMPTY,
        sentence(found, "bold"),
        *([sentence(allocated)] if allocated else []),
        *([_EMPTY, table, *_rest(len(grown) - len(rows), "rows")] if rows else []),
        *([_EMPTY, _quiet(f"Not seen: {unseen}")] if unseen else []),
    ]


def path(heap: Heap, types: Sequence[TypeRow], indexes: Sequence[int], limit: int) -> list[Block]:
    """Return the totals of some types as text, and a table of the paths to their objects."""
    rows = []
    for index in indexes[:limit]:
        group = heap.groups[index]
        sizes = size(group.shallow_bytes), size(group.retained_bytes), size(group.total_bytes)
        rows.append(_row(f"{group.objects:,}", *sizes, _plain(path_to_group(heap, index))))
    on_paths = sum(heap.groups[index].objects for index in indexes)
    carriers = sum(row.objects for row in types) - on_paths
    note = (
        f"{carriers:,} more objects of the type are parts of other objects (such as the dict of an object's attributes)"
        " and have no path of their own."
    )
    return [
        *(_plain(sentences.type_text(row)) for row in types),
        _EMPTY,
        NameTable(("objects", "shallow", "retained", "subtree", "path"), rows),
        *_rest(len(indexes) - limit, "paths"),
        *([_quiet(note)] if carriers > 0 else []),
    ]


def info(
    name: str, header: Header, footer: Footer, *, holdings: Sequence[Holding], types: Sequence[TypeRow], limit: int
) -> list[Block]:
    """Return the facts about a snapshot as text; a graph has holdings, a census has types."""
    facts = _facts({
        "content": header.content + (f" ({header.note})" if header.note else ""),
        "id": header.id,
        "taken": sentences.header_text(header),
        "objects": f"{footer.objects:,}",
        "references": f"{footer.references:,}",
        "heap walk": f"{duration(footer.duration_seconds)}, which paused the process for "
        f"{duration(footer.pause_seconds)}",
        "threads": ", ".join(header.threads.values()),
    })  # fmt: skip  # one a line
    parts: list[Block] = [_plain(name), IndentedBlock(facts, 2)]
    parts += [_EMPTY, *(_plain(sentences.holding_text(holding)) for holding in holdings)] if holdings else []
    if header.content == "census":
        rows = [_row(f"{row.objects:,}", size(row.shallow_bytes), _plain(row.type_name)) for row in types[:limit]]
        parts += [
            _EMPTY,
            _plain(
                "This snapshot is a census: it contains the number of objects of each type, but no paths to what "
                "holds them."
            ),
            _EMPTY,
            NameTable(("objects", "shallow", "type"), rows),
            *_rest(len(types) - limit, "types"),
        ]
    return parts


def snapshot_list(
    folder: Path,
    snapshots: Sequence[SnapshotInfo],
    problems: Sequence[SnapshotFileError],
    now: float,
    limit: int,
) -> list[Block]:
    """Return the snapshots of a folder as a table with one line each, and the files that cannot be read."""
    unread = [_plain(f"{problem.path.name}: {problem.problem}", "yellow") for problem in problems]
    if not snapshots:
        return [_plain(f"no snapshots in {folder}; {sentences.HOW_TO_GET_SNAPSHOTS}"), *unread]
    rows = []
    for info in snapshots[:limit]:
        reason = info.reason if info.content == "graph" else f"{info.reason} (only a census)"
        age = duration(max(now - info.taken_at, 0.0))
        names = _plain(info.service or "–"), _plain(info.id), _plain(reason)
        rows.append(_row(age, size(info.bytes), str(info.pid), *names))
    return [
        _plain(f"{plural(len(snapshots), 'snapshot')} in {folder}"),
        _EMPTY,
        NameTable(("age", "size", "pid", "service", "snapshot", "reason"), rows, cut_names=True),
        *_rest(len(snapshots) - limit, "snapshots"),
        *unread,
    ]


def _opening(diff: Diff) -> list[Block]:
    facts = {f"before  {diff.before.path.name}": diff.before, f"after   {diff.after.path.name}": diff.after}
    rows = _facts({name: sentences.header_text(heap.header) for name, heap in facts.items()})
    return [rows, *(_plain(note, "yellow") for note in sentences.comparison_notes(diff))]


def _largest_groups(heap: Heap) -> list[Block]:
    lines: list[Block] = []
    for index in largest_paths(heap, GROUPS_SHOWN):
        held = IndentedBlock(_plain(path_to_group(heap, index), "cyan"), INDENT)
        lines += [sentence(sentences.group_text(heap, index)), held, _EMPTY]
    return lines


def _single(heap: Heap, limit: int) -> list[Block]:
    return [*_held(heap), _EMPTY, _types(heap.types[:limit]), *_rest(len(heap.types) - limit, "types")]


def _suspect(number: int, suspect: Suspect, *, verbose: bool) -> list[Block]:
    """Return a suspect as text: what grows, where it is held and what to do; ``verbose`` adds the numbers."""
    growth, *others = accumulation_summary(suspect_accumulation(suspect)).lines
    lines: list[Block] = [StyledLine(((f"{number}. ", ""), *sentence(growth).parts))]
    lines += [IndentedBlock(sentence(line), INDENT) for line in others]
    if verbose:
        facts = {
            "path": ARROW.join(sentences.steps_to_type(suspect.path, suspect.type_name)),
            "held": sentences.HOLDING_TEXTS[suspect.holding],
            "share": f"{percent(suspect.share)} of the growth",
            "retains": f"{size(suspect.retained_bytes.after)} ({gain(suspect.retained_bytes.growth)})",
            "fingerprint": suspect.fingerprint,
        }
        lines.append(IndentedBlock(_facts(facts), INDENT))
    return [*lines, _EMPTY]


def _changes(diff: Diff, limit: int, *, shrunk: bool) -> list[Block]:
    """Return tables as text of what grew, by path and by type; with ``shrunk`` also of what shrank."""
    lines: list[Block] = []
    everything: Sequence[tuple[Sequence[PathChange | TypeChange], str, str]] = (
        (diff.paths, "path", "size"),
        (diff.types, "type", "retained"),
    )
    for changes, what, of in everything:
        grown = [change for change in changes if growth_bytes(change) > 0]
        lines += _change_table(f"grown, by {what}", grown, of, what, limit)
        if shrunk:
            less = [change for change in reversed(changes) if growth_bytes(change) < 0]
            lines += _change_table(f"shrunk, by {what}", less, of, what, limit)
    return lines


def _change_table(
    title: str, changes: Sequence[PathChange | TypeChange], of: str, what: str, limit: int
) -> list[Block]:
    if not changes:
        return []
    rows = []
    for change in changes[:limit]:
        if isinstance(change, PathChange):
            bytes_, name = change.total_bytes, path_to_type(change.steps, change.type_name)
        else:
            bytes_, name = change.retained_bytes, change.type_name
        rows.append(_row(*_grown(change, bytes_), _name(change, name)))
    table = NameTable(("objects", "growth", of, "growth", what), rows, title)
    return [table, *_rest(len(changes) - limit, f"{what}s"), _EMPTY]


def _grown(change: PathChange | TypeChange, bytes_: Change) -> tuple[str, str, str, str]:
    objects = change.objects
    return f"{objects.after:,}", difference(objects.growth), size(bytes_.after), gain(bytes_.growth)


def _name(change: PathChange | TypeChange, text: str) -> StyledLine:
    kind = [(f"  ({change.kind})", "yellow")] if change.kind in ("new", "gone") else []
    return StyledLine((*_plain(text).parts, *kind))


def _held(heap: Heap) -> list[Block]:
    lines: list[Block] = [_plain(sentences.holding_text(holding)) for holding in heap.holdings]
    return [*lines, *([_plain(note)] if (note := sentences.unknown_references_text(heap)) else [])]


def _types(rows: Sequence[TypeRow]) -> NameTable:
    cells = [
        _row(f"{row.objects:,}", size(row.shallow_bytes), size(row.retained_bytes), _plain(row.type_name))
        for row in rows
    ]
    return NameTable(("objects", "shallow", "retained", "type"), cells)


def _row(*cells: str | StyledLine) -> list[StyledLine]:
    return [_plain(cell) if isinstance(cell, str) else cell for cell in cells]


def _facts(facts: dict[str, str]) -> FactList:
    return FactList([(_shown(name), sentence(text)) for name, text in facts.items() if text])


def _rest(left_out: int, what: str) -> list[Block]:
    return [_quiet(f"… and {left_out:,} more {what}: use --limit 0 to show all")] if left_out > 0 else []


def _quiet(text: str) -> StyledLine:
    return _plain(text, "dim")


def sentence(text: str, style: str = "") -> StyledLine:
    """Return a sentence as a line with the names between `backticks` in colour."""
    parts = text.split("`")
    cyan = f"{style} cyan".lstrip()
    return StyledLine(
        tuple((f"`{_shown(part)}`", cyan) if index % 2 else (_shown(part), style) for index, part in enumerate(parts))
    )


def _plain(text: str, style: str = "") -> StyledLine:
    return StyledLine(((_shown(text), style),))


def _shown(text: str) -> str:
    """Return a text with control characters escaped, so that a name cannot control the terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
