"""The tables of the HTML report. Each cell has the number to sort by in ``data-value``."""

from __future__ import annotations

from heap_exporter.analysis.results import Change, Diff, PathChange, TypeRow
from heap_exporter.report.largest import most_changed
from heap_exporter.report.markup import PATH_LENGTH, cut, name
from heap_exporter.report.path_text import path_to_type
from heap_exporter.runtime.formatting import difference, gain, size


def growth(diff: Diff, limit: int) -> str:
    rows = "".join(_path_row(change) for change in most_changed(diff.paths, limit))
    if not rows:
        return ""
    head = _head(("Path", ""), ("Objects", "spare"), ("Growth", ""), ("Size", "spare"), ("Growth", ""))
    more = f" This table shows the {limit:,} largest of {len(diff.paths):,} changes." if len(diff.paths) > limit else ""
    return (
        '<section class="card" id="growth"><div class="heading"><h2>Growth by path</h2>'
        '<input type="search" class="filter" placeholder="Filter" aria-label="Filter the paths" autocomplete="off" '
        f'spellcheck="false"></div><div class="wide"><table data-shown="10"><thead><tr>{head}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div><p class="quiet">Sizes include all objects '
        f"below the path; each object counts once, on its shortest path from a root.{more}</p></section>"
    )


def _path_row(change: PathChange) -> str:
    return (
        f'<tr><th scope="row">{cut(path_to_type(change.steps, change.type_name), PATH_LENGTH)}{_kind(change.kind)}</th>'
        f"{_count(change.objects.after, 'spare')}{_grown(change.objects, difference(change.objects.growth))}"
        f"{_size(change.total_bytes.after, 'spare')}{_grown(change.total_bytes, gain(change.total_bytes.growth))}</tr>"
    )


def types_head(diff: Diff | None) -> str:
    if diff is None:
        return _head(("Type", ""), ("Objects", ""), ("Shallow", "spare"), ("Retained", ""))
    return _head(
        ("Type", ""), ("Objects", "spare"), ("Growth", ""), ("Shallow", "spare"), ("Retained", "spare"), ("Growth", "")
    )


def _head(*columns: tuple[str, str]) -> str:
    return "".join(
        f'<th scope="col"{_class(css_class)}><button type="button">{title}</button></th>'
        for title, css_class in columns
    )


def type_row(row: TypeRow) -> str:
    return (
        f'<tr><th scope="row">{name(row.type_name)}</th>{_count(row.objects)}{_size(row.shallow_bytes, "spare")}'
        f"{_size(row.retained_bytes)}</tr>"
    )


def type_changes(diff: Diff, limit: int) -> str:
    return "".join(
        f'<tr><th scope="row">{name(change.type_name)}{_kind(change.kind)}</th>'
        f"{_count(change.objects.after, 'spare')}{_grown(change.objects, difference(change.objects.growth))}"
        f"{_size(change.shallow_bytes.after, 'spare')}{_size(change.retained_bytes.after, 'spare')}"
        f"{_grown(change.retained_bytes, gain(change.retained_bytes.growth))}</tr>"
        for change in most_changed(diff.types, limit)
    )


def types_note(types: int, limit: int) -> str:
    more = f" This table shows {limit:,} of {types:,} types." if types > limit else ""
    return f"Retained: the bytes that Python would free if all objects of the type were freed.{more}"


def _kind(kind: str) -> str:
    return f'<span class="kind {kind}">{kind}</span>' if kind in ("new", "gone") else ""


def _count(value: int, css_class: str = "") -> str:
    return f'<td data-value="{value}"{_class(css_class)}>{value:,}</td>'


def _size(value: int, css_class: str = "") -> str:
    return f'<td data-value="{value}"{_class(css_class)}>{size(value)}</td>'


def _grown(change: Change, text: str) -> str:
    css_class = "up" if change.growth > 0 else "down" if change.growth < 0 else "same"
    return f'<td data-value="{change.growth}" class="{css_class}">{text if change.growth else "–"}</td>'


def _class(css_class: str) -> str:
    return f' class="{css_class}"' if css_class else ""
