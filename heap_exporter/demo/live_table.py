"""The state of heap-exporter in the demo, from its JSON status: a table that is redrawn, or one line each."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from heap_exporter.detection import growing_types
from heap_exporter.model import GrowingType
from heap_exporter.report.sparkline import text_sparkline
from heap_exporter.runtime.formatting import rate

GROWERS_SHOWN = 5
POINTS_SHOWN = 60

STYLES = {
    "confirmed": "bold red",
    "suspected": "bold red",
    "growing": "yellow",
    "steady": "green",
    "plateaued": "green",
}

Status = dict[str, Any]


class LiveTable:
    """Draws one status after the other. ``links`` are lines below the numbers."""

    def __init__(self, title: str, links: list[str]) -> None:
        self._title = title
        self._links = links
        self._resident: deque[float] = deque(maxlen=POINTS_SHOWN)
        self._heap: deque[float] = deque(maxlen=POINTS_SHOWN)

    def draw(self, status: Status, elapsed_seconds: float, requests: int) -> RenderableType:
        """Return the table for a status."""
        self._resident.append(resident_bytes(status))
        self._heap.append(status["heap_bytes"] or 0)
        return Panel(
            Group(
                self._figures(status, elapsed_seconds, requests), "", self._links_shown(status), "", _growers(status)
            ),
            title=self._title,
            padding=(1, 2),
        )

    def line(self, status: Status, elapsed_seconds: float, requests: int) -> str:
        """Return a status as one line."""
        top = top_grower(status)
        growing = f"  grows: {top['type_name']} +{top['objects']:,}" if top else ""
        return (
            f"{elapsed_seconds:5.0f} s  {requests:6,} requests  heap {mib(status['heap_bytes'] or 0)}"
            f"  RSS {mib(resident_bytes(status))}  slope {growth_rate(status)}  {state(status)}{growing}"
        )

    def _figures(self, status: Status, elapsed_seconds: float, requests: int) -> Table:
        table = Table.grid(padding=(0, 3))
        table.add_row("heap", mib(self._heap[-1]), Text(text_sparkline(self._heap), style="cyan"))
        table.add_row("RSS", mib(self._resident[-1]), Text(text_sparkline(self._resident), style="magenta"))
        table.add_row("slope", growth_rate(status), f"{elapsed_seconds:.0f} s, {requests:,} requests served")
        verdict = status["verdict"] or {"reasons": []}
        reasons = "\n".join(verdict["reasons"])
        table.add_row("verdict", Text(state(status), style=STYLES.get(state(status), "dim")), reasons)
        return table

    def _links_shown(self, status: Status) -> Text:
        taken = [f"snapshot  {found['path']}" for found in own_snapshots(status)[:1]]
        return Text("\n".join([*self._links, *taken]), style="dim")


def _growers(status: Status) -> Table:
    table = Table(
        title="types that grew within the window (shallow sizes)",
        title_justify="left",
        expand=True,
    )
    table.add_column("type", ratio=1, no_wrap=True)
    table.add_column("objects", justify="right")
    table.add_column("bytes", justify="right")
    for grower in growers(status)[:GROWERS_SHOWN]:
        table.add_row(grower["type_name"], f"+{grower['objects']:,}", f"+{mib(grower['bytes'])}")
    return table


def state(status: Status) -> str:
    """Return the state of the verdict."""
    return str(status["verdict"]["state"]) if status["verdict"] else "warming-up"


def growers(status: Status) -> list[dict[str, Any]]:
    """Return the types that grew, most bytes first."""
    return list(status["verdict"]["growers"]) if status["verdict"] else []


def top_grower(status: Status) -> dict[str, Any] | None:
    """Return the growing type to name."""
    found = growing_types.top_growing_type([GrowingType(**grower) for grower in growers(status)])
    return asdict(found) if found else None


def own_snapshots(status: Status) -> list[dict[str, Any]]:
    """Return the snapshots that this process took, newest first."""
    return [found for found in status["snapshots"] if f"-{status['pid']}-" in found["id"]]


def suspected_lines(status: Status, elapsed_seconds: float) -> list[str]:
    """Return the lines to print when a leak is suspected."""
    snapshot = own_snapshots(status)[0]
    return [
        f"suspected after {elapsed_seconds:.0f} s:",
        *(f"  {reason}" for reason in status["verdict"]["reasons"]),
        f"  snapshot: {snapshot['path']} ({snapshot['bytes']:,} bytes)",
    ]


def confirmed_lines(alert: dict[str, Any], elapsed_seconds: float) -> list[str]:
    """Return the lines to print when a leak is confirmed: what grows, where it is held, what to do."""
    words = [f"confirmed after {elapsed_seconds:.0f} s by a second snapshot:"]
    found = alert["accumulation"]
    if found:
        words += [f"  {found['text']}", f"    path: {' → '.join(found['path'])}"]
    words += [f"    {alert['advice']}"] if alert["advice"] else []
    return [line.replace("`", "") for line in words]


def resident_bytes(status: Status) -> int:
    """Return the resident memory, 0 if unknown."""
    process = status["sample"] and status["sample"]["process"]
    return int(process["resident_bytes"]) if process else 0


def growth_rate(status: Status) -> str:
    """Return the growth rate of the memory, "–" if unknown."""
    trends = status["verdict"]["trends"] if status["verdict"] else []
    slopes = [trend["slope_bytes_per_second"] for trend in trends if trend["kind"] == "total"]
    return rate(slopes[0]) if slopes else "–"


def mib(size: float) -> str:
    """Return a size in MiB."""
    return f"{size / (1 << 20):.1f} MiB"
