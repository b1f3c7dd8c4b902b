"""The state of heap-exporter in the demo, from its JSON status, as a table that is redrawn. This imports rich."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from heap_exporter.demo.demo_status import (
    TYPES_SHOWN,
    Status,
    growers,
    growth_rate,
    own_snapshots,
    resident_bytes,
    state,
    summary,
    summary_lines,
    types_shown,
)
from heap_exporter.report.rich_text import drawn
from heap_exporter.report.sparkline import MAX_BARS, text_sparkline
from heap_exporter.report.text import sentence
from heap_exporter.runtime.formatting import difference, gain, size

FRAME_ROWS, FRAME_COLUMNS = 3, 6
"""The frame around the table with its padding, and the row of the cursor after the end."""

RATE_COLUMNS = 13
NUMBER_COLUMNS = len("growth") + 3 + RATE_COLUMNS + 3
"""Columns before the sparklines: a name and a number such as ``+1,981 MiB/h``, each with a gap."""

STYLES = {
    "confirmed": "bold red",
    "suspected": "bold red",
    "growing": "bold yellow",
    "steady": "bold green",
    "plateaued": "bold green",
}


class LiveTable:
    """Draws one status after the other. ``links`` are lines below the verdict."""

    def __init__(self, title: str, links: list[str]) -> None:
        self._title = title
        self._links = links
        self._resident: deque[float] = deque(maxlen=MAX_BARS)
        self._heap: deque[float] = deque(maxlen=MAX_BARS)

    def draw(self, status: Status, served: str) -> RenderableType:
        """Return the demo's live table for a status; ``served`` says for how long, or what else is new."""
        self._resident.append(resident_bytes(status))
        self._heap.append(status["heap_bytes"] or 0)
        return _Screenful(self._title, status, list(self._heap), list(self._resident), served, self._links)


@dataclass(frozen=True)
class _Screenful:
    """The demo's live table, laid out by rich for the size of its terminal.

    What a small terminal has no room for is left out: empty lines, then types.
    """

    title: str
    status: Status
    heap: Sequence[float]
    resident: Sequence[float]
    served: str
    links: Sequence[str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        inner = options.update(width=max(options.max_width - FRAME_COLUMNS, 1), height=None)
        parts: list[RenderableType] = [self._numbers(inner.max_width), _verdict(self.status), self._links_shown()]
        spare = options.size.height - FRAME_ROWS - sum(len(console.render_lines(part, inner)) for part in parts)
        is_spaced = spare > len(parts)
        rows = min(spare - 1 - (len(parts) if is_spaced else 0), TYPES_SHOWN)
        if rows > 0:
            parts.append(_growing_types(self.status, rows))
        spaced = [each for part in parts for each in (part, "")][:-1] if is_spaced else parts
        yield Panel(Group(*spaced), title=self.title, padding=(0, 2))

    def _numbers(self, width: int) -> Table:
        bars = min(max(width - NUMBER_COLUMNS, 1), MAX_BARS)
        table = Table.grid(padding=(0, 3, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, min_width=RATE_COLUMNS)
        table.add_column(no_wrap=True)
        table.add_row("heap", size(self.heap[-1]), Text(text_sparkline(self.heap, bars), style="cyan"))
        table.add_row("RSS", size(self.resident[-1]), Text(text_sparkline(self.resident, bars), style="magenta"))
        table.add_row("growth", growth_rate(self.status), self.served)
        return table

    def _links_shown(self) -> Text:
        taken = [f"snapshot  {info['path']}" for info in own_snapshots(self.status)[:1]]
        return Text("\n".join([*self.links, *taken]), style="dim", overflow="fold")


def _verdict(status: Status) -> Group:
    """Return the verdict in the demo's live table: a headline and three lines."""
    shown = summary(status)
    title = Text(shown["headline"], style=STYLES.get(state(status), "bold"))
    return Group(title, drawn(map(sentence, summary_lines(shown))))


def _growing_types(status: Status, rows: int) -> RenderableType:
    if not growers(status):
        return Text("no growing types", style="dim")
    table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
    table.add_column("growing types (shallow sizes)", ratio=1, no_wrap=True)
    table.add_column("objects", justify="right")
    table.add_column("size", justify="right")
    for grown in types_shown(status)[:rows]:
        table.add_row(grown["type_name"], difference(grown["objects"]), gain(grown["bytes"]))
    return table
