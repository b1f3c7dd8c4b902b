"""What the analysis found, as text for a terminal or a pipe: tables and sentences made by rich."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from heap_exporter.analysis.results import Change, Diff, Heap, Holding, PathChange, Suspect, TypeChange, TypeRow
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.report import sentences
from heap_exporter.report.advice_text import pattern_advice
from heap_exporter.report.finding_text import suspect_text, verdict_text
from heap_exporter.report.largest import growth_bytes, largest_paths
from heap_exporter.report.path_text import ARROW, path_to_group, path_to_type
from heap_exporter.runtime.formatting import difference, duration, gain, size

PLACES_SHOWN = 5


def top(heap: Heap, rows: Sequence[TypeRow]) -> RenderableType:
    """Return a table of types."""
    return Lines(
        _plain(f"{heap.path.name}: {sentences.holds(heap)}"),
        "",
        _types(rows),
        _rest(len(heap.types) - len(rows), "types"),
    )


def diff(found: Diff, limit: int) -> RenderableType:
    """Return tables of the types and of the paths that changed, the largest growth first."""
    return Lines(*_opening(found), "", *_changes(found, limit, shrunk=True))


def report(found: Heap | Diff, limit: int) -> RenderableType:
    """Return suspects first, then the tables; of one snapshot, where its bytes are."""
    if isinstance(found, Heap):
        return Lines(
            _plain(f"{found.path.name}: {sentences.holds(found)}"), "", *_places(found), *_single(found, limit)
        )
    suspects = [_suspect(number, suspect) for number, suspect in enumerate(found.suspects, 1)]
    return Lines(
        *_opening(found),
        "",
        _sentence(verdict_text(found), "bold"),
        "",
        *suspects,
        *_changes(found, limit, shrunk=False),
        *_held(found.after),
    )


def path(heap: Heap, types: Sequence[TypeRow], indexes: Sequence[int], limit: int) -> RenderableType:
    """Return a table of the paths to the objects of some types, and what the types have altogether."""
    table = _table("objects", "shallow", "retained", "with all behind", "path")
    for index in indexes[:limit]:
        group = heap.groups[index]
        table.add_row(
            f"{group.objects:,}", size(group.shallow_bytes), size(group.retained_bytes), size(group.total_bytes),
            _plain(path_to_group(heap, index)),
        )  # fmt: skip  # a row
    on_paths = sum(heap.groups[index].objects for index in indexes)
    carriers = sum(row.objects for row in types) - on_paths
    said = (
        f"{carriers:,} more only carry what other objects have (as the dict behind attributes does), and have no path "
        "of their own."
    )
    return Lines(
        *(_plain(sentences.of_type(row)) for row in types), "", table, _rest(len(indexes) - limit, "paths"),
        *([_quiet(said)] if carriers > 0 else []),
    )  # fmt: skip  # from top to bottom


def info(
    name: str, header: Header, footer: Footer, *, holdings: Sequence[Holding], types: Sequence[TypeRow], limit: int
) -> RenderableType:
    """Return what is known of a snapshot: of a graph how it is held, of a census its types."""
    facts = _facts({
        "content": header.content + (f" ({header.note})" if header.note else ""),
        "id": header.id,
        "taken": sentences.taken(header),
        "objects": f"{footer.objects:,}",
        "references": f"{footer.references:,}",
        "walk": f"took {duration(footer.duration_seconds)}, the process stood still for "
        f"{duration(footer.pause_seconds)} at most",
        "threads": ", ".join(header.threads.values()),
    })  # fmt: skip  # one a line
    parts: list[RenderableType] = [_plain(name), Padding(facts, (0, 0, 0, 2))]
    parts += ["", *(_plain(sentences.held(holding)) for holding in holdings)] if holdings else []
    if header.content == "census":
        table = _table("objects", "shallow", "type")
        for row in types[:limit]:
            table.add_row(f"{row.objects:,}", size(row.shallow_bytes), _plain(row.type_name))
        parts += ["", _plain("A census: it counts objects, and does not know who holds them."), "", table]
        parts += [_rest(len(types) - limit, "types")]
    return Lines(*parts)


def _opening(found: Diff) -> list[RenderableType]:
    facts = {f"before  {found.before.path.name}": found.before, f"after   {found.after.path.name}": found.after}
    said = _facts({name: sentences.taken(heap.header) for name, heap in facts.items()})
    return [said, *(_plain(note, "yellow") for note in sentences.notes(found))]


def _places(heap: Heap) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for index in largest_paths(heap, PLACES_SHOWN):
        lines += [
            _sentence(sentences.largest(heap, index)),
            Padding(_plain(path_to_group(heap, index), "cyan"), (0, 0, 1, 3)),
        ]
    return lines


def _single(heap: Heap, limit: int) -> list[RenderableType]:
    return [*_held(heap), "", _types(heap.types[:limit]), _rest(len(heap.types) - limit, "types")]


def _suspect(number: int, suspect: Suspect) -> RenderableType:
    facts = {
        "path": ARROW.join(sentences.way(suspect.path, suspect.type_name)),
        "held": f"{sentences.HELD[suspect.holding]}; retains {size(suspect.retained_bytes.after)}",
        "advice": pattern_advice(suspect.pattern),
        "fingerprint": suspect.fingerprint,
    }
    head = Text.assemble(f"{number}. ", _sentence(suspect_text(suspect)))
    return Lines(head, Padding(_facts(facts), (0, 0, 1, 3)))


def _changes(found: Diff, limit: int, *, shrunk: bool) -> list[RenderableType]:
    """Return tables of what grew, by path and by type, and if it is wanted of what shrank."""
    lines: list[RenderableType] = []
    everything: Sequence[tuple[Sequence[PathChange | TypeChange], str, str]] = (
        (found.paths, "path", "size"),
        (found.types, "type", "retained"),
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
    lines: list[RenderableType] = [_plain(sentences.held(holding)) for holding in heap.holdings]
    return [*lines, *([_plain(said)] if (said := sentences.unknown(heap)) else [])]


def _types(rows: Sequence[TypeRow]) -> Table:
    table = _table("objects", "shallow", "retained", "type")
    for row in rows:
        table.add_row(f"{row.objects:,}", size(row.shallow_bytes), size(row.retained_bytes), _plain(row.type_name))
    return table


def _table(*columns: str, title: str | None = None) -> Table:
    """Return a table of figures whose last column is a name: it may be long, and is never cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=title, title_justify="left", title_style="bold")
    for column in columns[:-1]:
        table.add_column(column, justify="right", no_wrap=True, header_style="dim")
    table.add_column(columns[-1], overflow="fold", header_style="dim")
    return table


def _facts(facts: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts.items():
        if text:
            table.add_row(name, _sentence(text))
    return table


def _rest(left_out: int, what: str) -> Text:
    return _quiet(f"… and {left_out:,} more {what}: --limit 0 shows all") if left_out > 0 else Text(end="")


def _quiet(text: str) -> Text:
    return _plain(text, "dim")


def _sentence(text: str, style: str = "") -> Text:
    """Return a sentence; the names in it, between `backticks`, stand out."""
    parts = text.split("`")
    marked = [(f"`{_shown(part)}`", "cyan") if index % 2 else (_shown(part), "") for index, part in enumerate(parts)]
    return Text.assemble(*marked, style=style)


def _plain(text: str, style: str = "") -> Text:
    return Text(_shown(text), style)


def _shown(text: str) -> str:
    """Return a foreign text without what would command the terminal: control characters are shown as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
