"""The report as one HTML file. It loads nothing, runs only its own script, and escapes every name."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources
from string import Template

from heap_exporter._version import VERSION
from heap_exporter.analysis.results import Diff, Heap, Holding, Suspect
from heap_exporter.report import html_tables, sentences
from heap_exporter.report.allocation_text import allocated_between_text
from heap_exporter.report.finding_text import comparison_text, percent, suspect_accumulation
from heap_exporter.report.flame import Cell, cells
from heap_exporter.report.largest import largest_paths
from heap_exporter.report.lost_text import lost_between_text
from heap_exporter.report.markup import PATH_LENGTH, csp_hash, cut, data, marked, name, steps
from heap_exporter.report.path_text import HOLDING_NAMES
from heap_exporter.report.verdict_text import accumulation_summary
from heap_exporter.runtime.formatting import difference, gain, size

MAX_BYTES = 2_000_000
GROUPS_SHOWN = 8000
TYPES_SHOWN = 500
PATHS_SHOWN = 300
HOLDERS_SHOWN = 5
SCALES = (1.0, 0.5, 0.25, 0.1, 0.02)
"""The shares of the rows that are tried, one after the other, until the page is small enough."""


def render(result: Heap | Diff) -> str:
    """Return the HTML report of one snapshot, or of the changes between two, with at most ``MAX_BYTES`` bytes.

    Groups that are too small to see are left out; the page shows their number.
    """
    for scale in SCALES:
        page = _page(result, scale)
        if len(page.encode("utf-8", "replace")) <= MAX_BYTES:
            break
    return page


def _page(result: Heap | Diff, scale: float) -> str:
    diff, after = (result, result.after) if isinstance(result, Diff) else (None, result)
    shown = cells(after, diff.before if diff else None, int(GROUPS_SHOWN * scale))
    types = int(TYPES_SHOWN * scale)
    return _TEMPLATE.substitute(
        policy=_POLICY,
        style=_STYLE,
        script=_SCRIPT,
        version=VERSION,
        title=f"heap-exporter report · process {after.header.pid}",
        subject=_subject(result),
        state=_state(result),
        headline=marked(comparison_text(diff) if diff else sentences.heap_text(after)),
        notes=_notes(diff),
        findings=_suspects(diff) if diff else _holders(after),
        numbers=_numbers(result),
        hide_modes="" if diff else " hidden",
        graph_note=_graph_note(shown, after),
        growth=html_tables.growth(diff, int(PATHS_SHOWN * scale)) if diff else "",
        types_head=html_tables.types_head(diff),
        types=html_tables.type_changes(diff, types)
        if diff
        else "".join(html_tables.type_row(row) for row in after.types[:types]),
        types_note=html_tables.types_note(len(diff.types if diff else after.types), types),
        holdings="".join(_holding(holding) for holding in after.holdings),
        snapshots=_snapshots(result),
        caveats=_paragraph(sentences.unknown_references_text(after)),
        cells=data(shown, compared=diff is not None),
    )


def _subject(result: Heap | Diff) -> str:
    heaps = [result.before, result.after] if isinstance(result, Diff) else [result]
    return " → ".join(name(heap.path.name) for heap in heaps) + f" · process {heaps[-1].header.pid}"


def _state(result: Heap | Diff) -> str:
    if isinstance(result, Heap):
        return "one"
    return "suspected" if result.suspects else "steady"


def _notes(diff: Diff | None) -> str:
    notes = sentences.comparison_notes(diff) if diff else ()
    return f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in notes)}</ul>' if notes else ""


def _suspects(diff: Diff) -> str:
    items = "".join(map(_suspect, diff.suspects))
    texts = (f(diff.before.header, diff.after.header) for f in (lost_between_text, allocated_between_text))
    paragraphs = "".join(f"<p>{marked(text)}</p>" for text in texts if text)
    return (f'<ol class="findings" id="suspects">{items}</ol>' if items else "") + paragraphs


def _suspect(suspect: Suspect) -> str:
    """Return a suspect as HTML: what grows, where it is held and what to do; a click shows the numbers."""
    growth, *others = accumulation_summary(suspect_accumulation(suspect)).lines
    lines = "".join(f"<p>{marked(line)}</p>" for line in others)
    share = min(max(suspect.share, 0.0), 1.0)
    facts = (
        f"{percent(suspect.share)} of the growth",
        f"retains {size(suspect.retained_bytes.after)} ({gain(suspect.retained_bytes.growth)})",
        sentences.HOLDING_TEXTS[suspect.holding],
    )
    return (
        f'<li class="finding"><p class="sentence">{marked(growth)}</p>{lines}'
        f'<details><summary>Numbers</summary><p class="path">'
        f"{steps(sentences.steps_to_type(suspect.path, suspect.type_name))}</p>"
        f'<p class="quiet">{escape(" · ".join(facts))} · fingerprint <code>{escape(suspect.fingerprint)}</code></p>'
        f'</details><p><button type="button" data-find="{name(suspect.type_name)}">show in the graph</button></p>'
        f'<svg class="share" aria-hidden="true"><rect width="{share * 100:.1f}%" height="100%"/></svg></li>'
    )


def _holders(heap: Heap) -> str:
    items = "".join(
        f'<li class="finding"><p class="sentence">{marked(sentences.group_text(heap, index))}</p>'
        f'<p class="path">{steps(sentences.steps_to_type(heap.steps(index), heap.groups[index].type_name))}</p></li>'
        for index in largest_paths(heap, HOLDERS_SHOWN)
    )
    return f'<ol class="findings">{items}</ol>' if items else ""


def _numbers(result: Heap | Diff) -> str:
    after, held = (result.after, result.after.holdings) if isinstance(result, Diff) else (result, result.holdings)
    objects = references = taken = ""
    if isinstance(result, Diff):
        objects = difference(after.objects - result.before.objects)
        references = difference(after.references - result.before.references)
        taken = gain(after.shallow_bytes - result.before.shallow_bytes)
    return (
        _number("Objects", f"{after.objects:,}", objects)
        + _number("Size", size(after.shallow_bytes), taken)
        + _number("References", f"{after.references:,}", references)
        + "".join(_number(HOLDING_NAMES[holding.kind].capitalize(), size(holding.shallow_bytes)) for holding in held)
    )


def _number(title: str, text: str, change: str = "") -> str:
    more = f"<small>{change}</small>" if change else ""
    return f"<div><dt>{escape(title)}</dt><dd>{text}{more}</dd></div>"


def _graph_note(shown: Sequence[Cell], heap: Heap) -> str:
    groups = sum(1 for cell in shown if not cell.folded)
    left_out = len(heap.groups) - groups
    rest = f" It shows the {groups:,} largest groups; {left_out:,} smaller groups are combined." if left_out else ""
    return (
        "Each bar is a group of objects with the same path from a root; the bars below it show what they hold. The "
        f"width of a bar is its size in bytes. Click a bar to zoom in.{rest}"
    )


def _holding(holding: Holding) -> str:
    rows = "".join(
        f"<li><span><code>{name(row.type_name)}</code> × {row.objects:,}</span>"
        f"<span>{size(row.retained_bytes)}</span></li>"
        for row in holding.types
    )
    return (
        f"<div><h3>{escape(HOLDING_NAMES[holding.kind].capitalize())}</h3>"
        f'<p class="quiet">{escape(sentences.holding_text(holding))}</p><ul>{rows}</ul></div>'
    )


def _snapshots(result: Heap | Diff) -> str:
    heaps = {"Before": result.before, "After": result.after} if isinstance(result, Diff) else {"Snapshot": result}
    return "".join(
        f"<div><dt>{title}</dt><dd>{cut(str(heap.path), PATH_LENGTH)}<br>"
        f'<span class="quiet">{cut(sentences.header_text(heap.header), PATH_LENGTH)}</span></dd></div>'
        for title, heap in heaps.items()
    )


def _paragraph(text: str) -> str:
    return f'<p class="quiet">{escape(text)}</p>' if text else ""


def _asset(name: str) -> str:
    return resources.files("heap_exporter.report").joinpath("pages", name).read_text(encoding="utf-8")


_TEMPLATE = Template(_asset("report.html"))
_STYLE = _asset("report.css")
_SCRIPT = _asset("flame.js") + _asset("tables.js")
_POLICY = (
    f"default-src 'none'; script-src {csp_hash(_SCRIPT)}; style-src {csp_hash(_STYLE)}; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""The browser runs only the script of the page itself, checked by its hash, and loads nothing."""
