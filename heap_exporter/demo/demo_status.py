"""The state of heap-exporter in the demo, from its JSON status: values of it, and lines of text."""

from __future__ import annotations

from typing import Any

from heap_exporter.model import GrowingType, top_growing_type
from heap_exporter.runtime.formatting import difference, rate, size

TYPES_SHOWN = 5

Status = dict[str, Any]
"""The JSON document of ``GET /``."""


def status_line(status: Status, elapsed_seconds: float, requests: int) -> str:
    """Return a status as one line of the demo's output."""
    return f"{elapsed_seconds:3.0f} s  {requests:6,} requests  {_memory(status)}"


def watched_line(status: Status, elapsed_seconds: float) -> str:
    """Return a status as one line of the output of ``heap-exporter watch``."""
    return f"{elapsed_seconds:3.0f} s  process {status['pid']}  {_memory(status)}"


def _memory(status: Status) -> str:
    top, is_warming_up = top_type(status), state(status) == "warming-up"
    growing = f"  {top['type_name']} {difference(top['objects'])} objects" if top else ""
    verdict = summary(status)["growth"].lower() if is_warming_up else f"{state(status)}  {growth_rate(status)}"
    return f"heap {size(status['heap_bytes'] or 0)}  RSS {size(resident_bytes(status))}  {verdict}{growing}"


def state(status: Status) -> str:
    """Return the state of the verdict that the demo shows."""
    return str(status["verdict"]["state"]) if status["verdict"] else "warming-up"


def summary(status: Status) -> dict[str, str]:
    """Return the headline and the three lines of the verdict that the demo shows."""
    if not status["verdict"]:
        return {"headline": "Warming up", "growth": "No samples yet"}
    return dict(status["verdict"]["summary"])


def summary_lines(texts: dict[str, str]) -> list[str]:
    """Return the lines of a verdict that the demo shows: what grows, where it is held, what to do."""
    return [line for name in ("growth", "holder", "advice") if (line := texts.get(name, ""))]


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
    grown_types = growers(status)
    alert = status["verdict"]["alert"] if status["verdict"] else None
    if alert and alert["accumulation"]:
        named = alert["accumulation"]["type_name"]
    else:
        top = top_growing_type([GrowingType(**grown) for grown in grown_types])
        named = top.type_name if top else ""
    return next((grown for grown in grown_types if grown["type_name"] == named), None)


def own_snapshots(status: Status) -> list[dict[str, Any]]:
    """Return the snapshots that the demo's shop took, newest first."""
    return [info for info in status["snapshots"] if f"-{status['pid']}-" in info["id"]]


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
