"""The demo's live table fits the terminal, and shows what matters whole."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from typing import Any

import pytest
from rich.console import Console

from heap_exporter.demo.demo_status import summary, summary_lines
from heap_exporter.demo.live_table import LiveTable
from heap_exporter.model import GrowingType
from heap_exporter.web import responses
from heap_exporter.web.shown_snapshots import ShownSnapshots
from tests.examples.alerts import full_alert
from tests.examples.readings import full_reading

LINKS = [f"{name:9} http://127.0.0.1:65535/{path}" for name, path in (("shop", ""), ("status", ""), ("metrics", "m"))]
NEWEST, BARS = "█", "▁▂▃▄▅▆▇"


def status(growing_types: int = 5) -> Any:
    """Return the status of a process with a confirmed leak, as the demo receives it."""
    alert = full_alert("shop.sessions.Item")
    types = tuple(GrowingType(f"shop.models.Type{number}", 1000, 10**6) for number in range(growing_types))
    verdict = dataclasses.replace(alert.verdict, growing_types=(*alert.verdict.growing_types, *types))
    reading = dataclasses.replace(full_reading(), verdict=verdict, alert=alert)
    return json.loads(json.dumps(responses.status(reading, ShownSnapshots((), "shop"), None, "", os.getpid())))


def drawn(columns: int, rows: int, samples: int = 200) -> list[str]:
    """Return the lines of the table on a terminal after some samples of growing memory, without its frame."""
    table, shown = LiveTable("a demo", LINKS), status()
    for number in range(samples):
        shown["heap_bytes"] = shown["sample"]["process"]["resident_bytes"] = 10_000_000 + 100_000 * number
        picture = table.draw(shown, f"{number} s, {10 * number:,} requests served")
    console = Console(file=io.StringIO(), width=columns, height=rows, legacy_windows=False)
    with console.capture() as capture:
        console.print(picture)
    lines = capture.get().splitlines()
    assert lines[0].startswith("╭")
    assert lines[-1].startswith("╰")
    assert {len(line) for line in lines} == {columns}
    return [line[1:-1].strip() for line in lines[1:-1]]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (78, 24), (100, 30), (118, 50)])
def test_the_screen_shows_the_verdict_the_urls_and_the_newest_end_of_the_lines_whole(columns: int, rows: int) -> None:
    lines = drawn(columns, rows)

    assert len(lines) + 2 < rows
    text = " ".join(" ".join(lines).split())
    verdict = summary(status())
    for sentence in (verdict["headline"], *summary_lines(verdict)):
        assert " ".join(sentence.split()) in text
    assert [line for line in lines if "http" in line] == LINKS
    pictures = [line for line in lines if line.startswith(("heap", "RSS"))]
    assert len(pictures) == 2
    assert all(line.endswith(NEWEST) and BARS[0] in line for line in pictures)


def test_a_small_screen_leaves_out_types_and_then_empty_lines() -> None:
    large, medium, small = (drawn(80, rows) for rows in (40, 22, 17))

    assert large.count("") == 3
    assert sum("shop.models.Type" in line for line in large) > sum("shop.models.Type" in line for line in medium)
    assert "" not in small
    assert not any("shop.models.Type" in line for line in small)
    assert [line for line in small if "http" in line] == LINKS


def test_the_first_sample_has_a_picture() -> None:
    assert drawn(80, 24, samples=1)[0].startswith("heap")
