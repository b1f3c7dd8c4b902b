"""The results of the analysis as text for a terminal or a pipe: sentences and tables, rendered by rich."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from heap_exporter.analysis.results import Change, Diff, Heap, Holding, PathChange, Suspect, TypeChange, TypeRow
from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.model import SnapshotInfo
from heap_exporter.report import sentences
from heap_exporter.report.finding_text import comparison_text, percent, suspect_accumulation
from heap_exporter.report.largest import growth_bytes, largest_paths
from heap_exporter.report.path_text import ARROW, path_to_group, path_to_type
from heap_exporter.report.verdict_text import accumulation_summary
from heap_exporter.runtime.formatting import difference, duration, gain, plural, size

GROUPS_SHOWN = 5


def top(heap: Heap, rows: Sequence[TypeRow]) -> RenderableType:
    """Return the types of a snapshot as text: a table for the terminal."""
    return Lines(
        _plain(f"{heap.path.name}: {sentences.heap_text(heap)}"),
        "",
        _types(rows),
        _rest(len(heap.types) - len(rows), "types"),
    )


def diff(diff: Diff, limit: int) -> RenderableType:
    """Return tables for the terminal of the types and paths that changed, the largest growth first."""
    return Lines(*_opening(diff), "", *_changes(diff, limit, shrunk=True))


def report(result: Heap | Diff, limit: int, *, verbose: bool = False) -> RenderableType:
    """Return the suspects as text, then tables of growth; of one snapshot, what holds its memory."""
    if isinstance(result, Heap):
        return Lines(
            _plain(f"{result.path.name}: {sentences.heap_text(result)}"),
            "",
            *_largest_groups(result),
            *_single(result, limit),
        )
    suspects = [_suspect(number, suspect, verbose=verbose) for number, suspect in enumerate(result.suspects, 1)]
    return Lines(
        *_opening(result),
        "",
        sentence(comparison_text(result), "bold"),
        "",
        *suspects,
        *_changes(result, limit, shrunk=False),
        *_held(result.after),
    )


def path(heap: Heap, types: Sequence[TypeRow], indexes: Sequence[int], limit: int) -> RenderableType:
    """Return the totals of some types as text, and a table of the paths to their objects."""
    table = _table("objects", "shallow", "retained", "subtree", "path")
    for index in indexes[:limit]:
        group = heap.groups[index]
        table.add_row(
            f"{group.objects:,}", size(group.shallow_bytes), size(group.retained_bytes), size(group.total_bytes),
            _plain(path_to_group(heap, index)),
        )  # fmt: skip  # a row
    on_paths = sum(heap.groups[index].objects for index in indexes)
    carriers = sum(row.objects for row in types) - on_paths
    note = (
        f"{carriers:,} more objects of the type are parts of other objects (such as the dict of an object's attributes)"
        " and have no path of their own."
    )
    return Lines(
        *(_plain(sentences.type_text(row)) for row in types), "", table, _rest(len(indexes) - limit, "paths"),
        *([_quiet(note)] if carriers > 0 else []),
    )  # fmt: skip  # from top to bottom


def info(
    name: str, header: Header, footer: Footer, *, holdings: Sequence[Holding], types: Sequence[TypeRow], limit: int
) -> RenderableType:
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
    parts: list[RenderableType] = [_plain(name), Padding(facts, (0, 0, 0, 2))]
    parts += ["", *(_plain(sentences.holding_text(holding)) for holding in holdings)] if holdings else []
    if header.content == "census":
        table = _table("objects", "shallow", "type")
        for row in types[:limit]:
            table.add_row(f"{row.objects:,}", size(row.shallow_bytes), _plain(row.type_name))
        parts += [
            "",
            _plain(
                "This snapshot is a census: it contains the number of objects of each type, but no paths to what "
                "holds them."
            ),
            "",
            table,
        ]
        parts += [_rest(len(types) - limit, "types")]
    return Lines(*parts)


def snapshot_list(
    folder: Path,
    snapshots: Sequence[SnapshotInfo],
    problems: Sequence[SnapshotFileError],
    now: float,
    limit: int,
) -> RenderableType:
    """Return the snapshots of a folder as a table with one line each, and the files that cannot be read."""
    unread = [_plain(f"{problem.path.name}: {problem.problem}", "yellow") for problem in problems]
    if not snapshots:
        return Lines(_plain(f"no snapshots in {folder}; {sentences.HOW_TO_GET_SNAPSHOTS}"), *unread)
    table = _table("age", "size", "pid", "service", "snapshot", "reason", cut_names=True)
    for info in snapshots[:limit]:
        reason = info.reason if info.content == "graph" else f"{info.reason} (only a census)"
        table.add_row(
            duration(max(now - info.taken_at, 0.0)), size(info.bytes), str(info.pid),
            _plain(info.service or "–"), _plain(info.id), _plain(reason),
        )  # fmt: skip  # a row
    title = f"{plural(len(snapshots), 'snapshot')} in {folder}"
    return Lines(_plain(title), "", table, _rest(len(snapshots) - limit, "snapshots"), *unread)


def _opening(diff: Diff) -> list[RenderableType]:
    facts = {f"before  {diff.before.path.name}": diff.before, f"after   {diff.after.path.name}": diff.after}
    rows = _facts({name: sentences.header_text(heap.header) for name, heap in facts.items()})
    return [rows, *(_plain(note, "yellow") for note in sentences.comparison_notes(diff))]


def _largest_groups(heap: Heap) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for index in largest_paths(heap, GROUPS_SHOWN):
        lines += [
            sentence(sentences.group_text(heap, index)),
            Padding(_plain(path_to_group(heap, index), "cyan"), (0, 0, 1, 3)),
        ]
    return lines


def _single(heap: Heap, limit: int) -> list[RenderableType]:
    return [*_held(heap), "", _types(heap.types[:limit]), _rest(len(heap.types) - limit, "types")]


def _suspect(number: int, suspect: Suspect, *, verbose: bool) -> RenderableType:
    """Return a suspect as text: what grows, where it is held and what to do; ``verbose`` adds the numbers."""
    growth, *others = accumulation_summary(suspect_accumulation(suspect)).lines
    lines: list[RenderableType] = [Text.assemble(f"{number}. ", sentence(growth))]
    lines += [Padding(sentence(line), (0, 0, 0, 3)) for line in others]
    if verbose:
        facts = {
            "path": ARROW.join(sentences.steps_to_type(suspect.path, suspect.type_name)),
            "held": sentences.HOLDING_TEXTS[suspect.holding],
            "share": f"{percent(suspect.share)} of the growth",
            "retains": f"{size(suspect.retained_bytes.after)} ({gain(suspect.retained_bytes.growth)})",
            "fingerprint": suspect.fingerprint,
        }
        lines.append(Padding(_facts(facts), (0, 0, 0, 3)))
    return Lines(*lines, "")


def _changes(diff: Diff, limit: int, *, shrunk: bool) -> list[RenderableType]:
    """Return tables as text of what grew, by path and by type; with ``shrunk`` also of what shrank."""
    lines: list[RenderableType] = []
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
) -> list[RenderableType]:
    if not changes:
        return []
    table = _table("objects", "growth", of, "growth", what, title=title)
    for change in changes[:limit]:
        if isinstance(change, PathChange):
            table.add_row(
                *_grown(change, change.total_bytes), _name(change, path_to_type(change.steps, change.type_name))
            )
        else:
            table.add_row(*_grown(change, change.retained_bytes), _name(change, change.type_name))
    return [table, _rest(len(changes) - limit, f"{what}s"), Text()]


def _grown(change: PathChange | TypeChange, bytes_: Change) -> tuple[str, str, str, str]:
    objects = change.objects
    return f"{objects.after:,}", difference(objects.growth), size(bytes_.after), gain(bytes_.growth)


def _name(change: PathChange | TypeChange, text: str) -> Text:
    kind = Text(f"  ({change.kind})", "yellow") if change.kind in ("new", "gone") else Text()
    return Text.assemble(_plain(text), kind)


def _held(heap: Heap) -> list[RenderableType]:
    lines: list[RenderableType] = [_plain(sentences.holding_text(holding)) for holding in heap.holdings]
    return [*lines, *([_plain(note)] if (note := sentences.unknown_references_text(heap)) else [])]


def _types(rows: Sequence[TypeRow]) -> Table:
    table = _table("objects", "shallow", "retained", "type")
    for row in rows:
        table.add_row(f"{row.objects:,}", size(row.shallow_bytes), size(row.retained_bytes), _plain(row.type_name))
    return table


def _table(*columns: str, title: str | None = None, cut_names: bool = False) -> Table:
    """Return a table: numbers, and a name as the last column, which is folded or, with ``cut_names``, cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=title, title_justify="left", title_style="bold")
    for column in columns[:-1]:
        table.add_column(column, justify="right", no_wrap=True, header_style="dim")
    table.add_column(columns[-1], overflow="ellipsis" if cut_names else "fold", no_wrap=cut_names, header_style="dim")
    return table


def _facts(facts: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts.items():
        if text:
            table.add_row(name, sentence(text))
    return table


def _rest(left_out: int, what: str) -> Text:
    return _quiet(f"… and {left_out:,} more {what}: use --limit 0 to show all") if left_out > 0 else Text(end="")


def _quiet(text: str) -> Text:
    return _plain(text, "dim")


def sentence(text: str, style: str = "") -> Text:
    """Return a sentence as rich text, with the names between `backticks` in colour."""
    parts = text.split("`")
    marked = [(f"`{_shown(part)}`", "cyan") if index % 2 else (_shown(part), "") for index, part in enumerate(parts)]
    return Text.assemble(*marked, style=style)


def _plain(text: str, style: str = "") -> Text:
    return Text(_shown(text), style)


def _shown(text: str) -> str:
    """Return a text with control characters escaped, so that a name cannot control the terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
