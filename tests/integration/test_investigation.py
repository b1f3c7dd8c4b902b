"""From a suspected leak to an alert, or to none, in real processes with a window of a few seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.native.leaky import build
from tests.processes.programs import (
    PATIENCE_SECONDS,
    eventually,
    get,
    get_json,
    metrics,
    next_json,
    program,
    window_settings,
)

SERVICE = """
import functools, gc, json, sys, threading, time
import heap_exporter
from heap_exporter.notify.payload import alert_document

def show(alert):
    print(json.dumps(alert_document(alert)), flush=True)

exporter = heap_exporter.start(port=0, growth_threshold=1)
exporter.monitor.on("leak", show)
print(json.dumps(exporter.url), flush=True)

class Session:  # few objects with many bytes: a walk is quick
    def __init__(self): self.cart = bytes(4400)

{}
"""

LEAK = """
SESSIONS = {}
while True:
    SESSIONS.update((object(), Session()) for _ in range(30))
    time.sleep(0.02)
"""

BOUNDED_CACHE = """
@functools.lru_cache(maxsize=200_000)
def page(number): return [Session(), number]

for number in range(10**9):
    page(number)
    if number % 30 == 0: time.sleep(0.02)
"""

CACHE_IN_BATCHES = """
class Recent:  # removes entries in batches: it may have more than its limit
    def __init__(self):
        self.max_items = 100_000
        self.pages = dict.fromkeys(range(101_000))

    def add(self, number):
        self.pages[number] = Session()
        if len(self.pages) > 1.4 * self.max_items:
            for old in list(self.pages)[:40_000]: del self.pages[old]

RECENT = Recent()
for number in range(10**6, 10**9):
    RECENT.add(number)
    if number % 30 == 0: time.sleep(0.02)
"""

CYCLES = """
gc.disable()
while True:
    for _ in range(30):
        session = Session()
        session.itself = [[session] for _ in range(10)]  # many objects: little garbage is not a leak
    time.sleep(0.02)
"""

DATABASES = """
import sqlite3

class Tenant:  # a small object; SQLite allocates the pages of the database
    def __init__(self):
        self.database = sqlite3.connect(":memory:")
        self.database.execute("create table documents (body blob)")
        self.database.execute("insert into documents values (randomblob(100000))")

TENANTS = {}
while True:
    TENANTS[object()] = Tenant()
    time.sleep(0.02)
"""

LOST_REFERENCES = """
import leaky

def parse():
    leaky.lose_large_bytes(30)

while True:
    parse()
    time.sleep(0.02)
"""

CONSUMER = """
import asyncio, collections

async def consume(events):
    seen = collections.deque()
    while True:
        seen.append([Session(), await events.get()])

async def main():
    events = asyncio.Queue()
    consumer = asyncio.create_task(consume(events))
    while True:
        for number in range(30): events.put_nowait(number)
        await asyncio.sleep(0.02)

asyncio.run(main())
"""

IN_FLIGHT = """
def handle():
    body = bytearray(b"x" * 1_000_000)
    time.sleep(3600)

while True:
    threading.Thread(target=handle, daemon=True).start()
    time.sleep(0.1)
"""


@contextmanager
def service(body: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """Run a service; yield its address and the process."""
    with program(SERVICE.format(body), folder, **window_settings(4)) as process:
        yield next_json(process), process


def verdict_with(url: str, words: str) -> Any:
    """Return the verdict as soon as one of its reasons has the words."""
    return eventually(
        lambda: get_json(f"{url}verdict"),
        lambda verdict: any(words in reason for reason in verdict["reasons"]),
        seconds=4 * PATIENCE_SECONDS,
    )


def test_two_snapshots_confirm_a_leak_and_the_alert_has_type_holder_and_growth(tmp_path: Path) -> None:
    with service(LEAK, tmp_path) as (url, process):
        alert = next_json(process)
        verdict, series, page = get_json(f"{url}verdict"), metrics(url), get(url, "text/html")
        snapshots = get_json(f"{url}snapshots")["snapshots"]

    assert (alert["state"], alert["cause"]) == ("confirmed", "python-objects")
    assert (alert["holder"], alert["type_name"]) == ("__main__.SESSIONS", "__main__.Session")
    assert alert["growth_bytes_per_minute"] > 0
    assert "Entries are added" in alert["advice"]
    assert sorted(info["id"] for info in alert["snapshots"]) == sorted(info["id"] for info in snapshots)
    assert len(snapshots) == 2
    assert len(alert["fingerprint"]) == 12
    assert verdict["state"] == "confirmed"
    assert verdict["alert"]["accumulation"]["holder"] == "__main__.SESSIONS"
    assert series['python_heap_leak_confirmed{cause="python-objects"}'] == 1
    assert series["python_heap_leak_alerts_total"] == 1
    assert "A leak is confirmed in Python objects" in page


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (BOUNDED_CACHE, "__main__.page has "),
        pytest.param(CACHE_IN_BATCHES, "of at most 150,000 entries", marks=pytest.mark.long),
        pytest.param(IN_FLIGHT, "work in progress", marks=pytest.mark.long),  # on a busy machine its shape is first
    ],
)
def test_a_bounded_cache_and_work_in_flight_are_cleared(body: str, words: str, tmp_path: Path) -> None:
    with service(body, tmp_path) as (url, _):
        verdict = verdict_with(url, words)
        snapshots = get_json(f"{url}snapshots")["snapshots"]
        series = metrics(url)

    assert verdict["state"] == "growing"
    assert verdict["alert"] is None
    assert len(snapshots) == 2
    assert series["python_heap_leak_alerts_total"] == 0


@pytest.mark.long
def test_handles_are_confirmed_with_the_native_memory_next_to_them(tmp_path: Path) -> None:
    with service(DATABASES, tmp_path) as (_, process):
        alert = next_json(process)

    assert (alert["state"], alert["cause"]) == ("confirmed", "native")
    assert (alert["holder"], alert["type_name"]) == ("__main__.TENANTS", "sqlite3.Connection")
    assert "`Connection` objects next to +" in alert["reasons"][0]


@pytest.mark.long
def test_what_a_task_gathers_is_a_leak_and_no_work_in_flight(tmp_path: Path) -> None:
    with service(CONSUMER, tmp_path) as (_, process):
        alert = next_json(process)

    assert (alert["state"], alert["cause"]) == ("confirmed", "python-objects")
    assert (alert["holder"], alert["type_name"]) == ("event loop › task consume() › seen", "__main__.Session")


@pytest.mark.long
def test_uncollected_cycles_are_confirmed_with_their_cause(tmp_path: Path) -> None:
    with service(CYCLES, tmp_path) as (_, process):
        alert = next_json(process)

    assert (alert["cause"], alert["type_name"]) == ("uncollected-cycles", "__main__.Session")


@pytest.mark.long
def test_lost_references_are_confirmed_with_their_type_and_the_line_that_allocated(tmp_path: Path) -> None:
    build(tmp_path)
    with service(LOST_REFERENCES, tmp_path) as (url, process):
        alert = next_json(process)
        lost = get_json(f"{url}lost")

    assert (alert["state"], alert["cause"]) == ("confirmed", "lost-references")
    assert alert["lost"][0]["type_name"] == "bytes"
    assert "C code lost" in alert["text"]
    assert [line["function"] for line in alert["allocated_at"]][:1] == ["parse"]
    assert lost["groups"][0]["type_name"] == "bytes"
