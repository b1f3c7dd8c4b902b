"""The state of heap-exporter in the demo, from its JSON status: a table that is redrawn, or one line each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from heap_exporter.model import GrowingType, top_growing_type
from heap_exporter.report.sparkline import MAX_BARS, text_sparkline
from heap_exporter.report.text import sentence
from heap_exporter.runtime.formatting import difference, gain, rate, size

TYPES_SHOWN = 5

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

Status = dict[str, Any]


class LiveTable:
    """Draws one status after the other. ``links`` are lines below the verdict."""

    def __init__(self, title: str, links: list[str]) -> None:
        self._title = title
        self._links = links
        self._resident: deque[float] = deque(maxlen=MAX_BARS)
        self._heap: deque[float] = deque(maxlen=MAX_BARS)

    def draw(self, status: Status, elapsed_seconds: float, requests: int) -> RenderableType:
        """Return the demo's live table for a status."""
        self._resident.append(resident_bytes(status))
        self._heap.append(status["heap_bytes"] or 0)
        served = f"{elapsed_seconds:.0f} s, {requests:,} requests served"
        return _Screenful(self._title, status, list(self._heap), list(self._resident), served, self._links)

    def line(self, status: Status, elapsed_seconds: float, requests: int) -> str:
        """Return a status as one line of the demo's output."""
        top, is_warming_up = top_type(status), state(status) == "warming-up"
        growing = f"  {top['type_name']} {difference(top['objects'])} objects" if top else ""
        verdict = summary(status)["growth"].lower() if is_warming_up else f"{state(status)}  {growth_rate(status)}"
        return (
            f"{elapsed_seconds:3.0f} s  {requests:6,} requests  heap {size(status['heap_bytes'] or 0)}"
            f"  RSS {size(resident_bytes(status))}  {verdict}{growing}"
        )


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
        drawn = [each for part in parts for each in (part, "")][:-1] if is_spaced else parts
        yield Panel(Group(*drawn), title=self.title, padding=(0, 2))

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
    return Group(title, *(sentence(line) for line in summary_lines(shown)))


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


def state(status: Status) -> str:
    """Return the state of the verdict that the demo shows."""
    return str(status["verdict"]["state"]) if status["verdict"] else "warming-up"


def summary(status: Status) -> dict[str, str]:
    """Return the headline and the three lines of the verdict that the demo shows."""
    if not status["verdict"]:
        return {"headline": "Warming up", "growth": "No samples yet"}
    return dict(status["verdict"]["summary"])


def summary_lines(found: dict[str, str]) -> list[str]:
    """Return the lines of a verdict that the demo shows: what grows, where it is held, what to do."""
    return [line for name in ("growth", "holder", "advice") if (line := found.get(name, ""))]


def growers(status: Status) -> list[dict[str, Any]]:
    """Return the types that grew, in the demo's live table, most bytes first."""
    return list(status["verdict"]["growers"]) if status["verdict"] else []


def types_shown(status: Status) -> list[dict[str, Any]]:
    """Return the rows of the demo's live table: first the type that the verdict names, then those with most bytes."""
    top = top_type(status)
    others = [grown for grown in growers(status) if not top or grown["type_name"] != top["type_name"]]
    return [*([top] if top else []), *others][:TYPES_SHOWN]


def top_type(status: Status) -> dict[str, Any] | None:
    """Return the type at the top of the demo's live table: of the alert, or else the largest of the application."""
    found = growers(status)
    alert = status["verdict"]["alert"] if status["verdict"] else None
    if alert and alert["accumulation"]:
        named = alert["accumulation"]["type_name"]
    else:
        top = top_growing_type([GrowingType(**grown) for grown in found])
        named = top.type_name if top else ""
    return next((grown for grown in found if grown["type_name"] == named), None)


def own_snapshots(status: Status) -> list[dict[str, Any]]:
    """Return the snapshots that the demo's shop took, newest first."""
    return [found for found in status["snapshots"] if f"-{status['pid']}-" in found["id"]]


def suspected_lines(status: Status, elapsed_seconds: float) -> list[str]:
    """Return the lines that the demo prints when a leak is suspected."""
    snapshot = own_snapshots(status)[0]
    return [
        f"suspected after {elapsed_seconds:.0f} s:",
        *_plain(summary_lines(status["verdict"]["summary"])),
        f"  snapshot: {snapshot['path']} ({size(snapshot['bytes'])})",
    ]


def confirmed_lines(alert: dict[str, Any], elapsed_seconds: float) -> list[str]:
    """Return the lines that the demo prints when a leak is confirmed: what grows, where it is held, what to do."""
    return [f"confirmed after {elapsed_seconds:.0f} s by a second snapshot:", *_plain(summary_lines(alert["summary"]))]


def resident_bytes(status: Status) -> int:
    """Return the resident memory of the demo's shop, 0 if unknown."""
    process = status["sample"] and status["sample"]["process"]
    return int(process["resident_bytes"]) if process else 0


def growth_rate(status: Status) -> str:
    """Return the growth rate of the demo's shop, "–" if unknown."""
    trends = status["verdict"]["trends"] if status["verdict"] else []
    slopes = [trend["slope_bytes_per_second"] for trend in trends if trend["kind"] == "total"]
    return rate(slopes[0]) if slopes else "–"


def _plain(lines: list[str]) -> list[str]:
    return [f"  {line.replace('`', '')}" for line in lines]
