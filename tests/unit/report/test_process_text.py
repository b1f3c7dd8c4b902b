"""The texts about the processes of a fleet."""

from __future__ import annotations

from heap_exporter.model import State
from heap_exporter.report.plain_text import plain_lines
from heap_exporter.report.process_text import process_table, verdict_lines
from heap_exporter.web.fleet_documents import leaks, process
from tests.examples.fleets import NOW, fleet_member

MIB = 1024.0**2
FLEET = (
    fleet_member(0, rss=20 * MIB),
    fleet_member(1, state=State.SUSPECTED, slope=MIB / 60, rss=80 * MIB),
    fleet_member(2, state=State.CONFIRMED, slope=MIB / 60, rss=81 * MIB),
)


def test_each_process_is_a_line_with_its_memory_growth_and_state() -> None:
    lines = list(plain_lines(process_table([process(each, FLEET, NOW + 3, "") for each in FLEET]), None))

    assert lines[0] == "3 processes"
    assert lines[3].split() == ["100", "single", "20.0", "MiB", "–", "steady", "3.0", "s", "ago", "shop-0"]
    assert "+60.0 MiB/h" in lines[4]
    assert "suspected" in lines[4]


def test_without_a_process_there_is_no_table() -> None:
    assert list(plain_lines(process_table([]), None)) == ["no process has published its metrics yet"]


def test_a_verdict_names_its_process_and_what_leaks_alike() -> None:
    document = {
        "state": "confirmed",
        "summary": {"headline": "Leak confirmed", "growth": "+9 MiB in 9 min", "holder": "held by `app.cache`"},
        "service": "shop",
        "worker": "2",
        "pid": 102,
        "leaks": leaks(FLEET),
    }

    assert list(plain_lines(verdict_lines(document), None)) == [
        "Leak confirmed",
        "shop-2, pid 102",
        "+9 MiB in 9 min",
        "held by app.cache",
        "shop: 2 of 3 processes leak alike (shop.Session), +120 MiB/h together, confirmed by 2",
    ]
