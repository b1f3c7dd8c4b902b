"""Texts about the processes of a fleet, from the JSON of /processes and of /verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heap_exporter.report.blocks import Block, NameTable, StyledLine, plain_line
from heap_exporter.runtime.formatting import duration, rate, size

STYLES = {"confirmed": "bold red", "suspected": "bold red", "growing": "bold yellow"}
"""The styles of states that a reader must see."""


def process_table(processes: Sequence[Mapping[str, Any]]) -> Sequence[Block]:
    """Return the processes of a fleet as a table with one line each."""
    if not processes:
        return [plain_line("no process has published its metrics yet")]
    columns = ("pid", "role", "RSS", "growth", "state", "sampled", "process")
    return [plain_line(_processes(len(processes))), StyledLine(), NameTable(columns, [*map(_row, processes)])]


def verdict_lines(verdict: Mapping[str, Any]) -> Sequence[Block]:
    """Return the verdict on one process, and what the other processes of the fleet leak, as lines."""
    summary = verdict.get("summary", {})
    lines = [StyledLine(((summary.get("headline", verdict["state"]), STYLES.get(verdict["state"], "bold")),))]
    if "worker" in verdict:
        lines.append(plain_line(f"{verdict['service']}-{verdict['worker']}, pid {verdict['pid']}"))
    lines += [
        plain_line(text.replace("`", "")) for name in ("growth", "holder", "advice") if (text := summary.get(name))
    ]
    return [*lines, *map(_leak, verdict.get("leaks", ()))]


def _row(process: Mapping[str, Any]) -> Sequence[StyledLine]:
    slopes = (process["slope_bytes_per_second"], process["recent_slope_bytes_per_second"])
    slope = next((found for found in slopes if found is not None), None)
    age = process["last_sample_age_seconds"]
    state = process["state"] if process["is_up"] else "silent"
    texts = (
        str(process["pid"]),
        process["role"],
        size(process["rss_bytes"]) if process["rss_bytes"] else "–",
        "–" if slope is None else rate(slope),
    )
    return [
        *map(plain_line, texts),
        StyledLine(((state, STYLES.get(state, "")),)),
        plain_line("–" if age is None else f"{duration(age)} ago"),
        plain_line(f"{process['service']}-{process['worker']}"),
    ]


def _leak(leak: Mapping[str, Any]) -> StyledLine:
    what = f" ({leak['type_name']})" if leak["type_name"] else ""
    confirmed = f", confirmed by {', '.join(leak['confirmed_by'])}" if leak["confirmed_by"] else ""
    return plain_line(
        f"{leak['service']}: {len(leak['alike'])} of {_processes(leak['processes'])} leak alike{what}, "
        f"{rate(leak['slope_bytes_per_second'])} together{confirmed}"
    )


def _processes(number: int) -> str:
    return f"{number:,} {'process' if number == 1 else 'processes'}"
