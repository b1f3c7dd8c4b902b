"""A service with a large heap, for :mod:`tests.bench.large`: its memory is constant, then it leaks sessions.

python -m tests.bench.large_service OBJECTS WINDOW_SECONDS MIB_PER_HOUR FOLDER

It prints lines of JSON: when the heap is built, when the leak begins, and the alert with the figures of the snapshots.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import heap_exporter
from heap_exporter import HeapExporter
from heap_exporter.model import LeakAlert
from heap_exporter.notify.payload import alert_document
from tests.bench.heap import build
from tests.bench.pauses import Ticker

OBJECTS_FOR_EACH_TRACKED = 2.94
"""All objects of :mod:`tests.bench.heap` for each one that the collector tracks."""

CART_ITEMS = 40
SESSION_BYTES = 3200
"""About the bytes of one leaked session, to leak at the rate that is asked for."""

LEAKS_A_SECOND = 5.0
STEADY_WINDOWS = 1.2
"""How long memory is constant before the leak, so that the detector has its first verdict."""


class LeakedSession:
    """An entry of the leak."""

    def __init__(self, number: int) -> None:
        self.token = f"token {number}"
        self.cart = [f"item {number} {line}" for line in range(CART_ITEMS)]


LEAKED: dict[int, LeakedSession] = {}


def say(**values: Any) -> None:
    """Print a line of JSON."""
    print(json.dumps({"at": time.time(), **values}), flush=True)


def leak(mib_per_hour: float, alerted: threading.Event) -> None:
    """Keep sessions at a steady rate until the alert."""
    per_second = mib_per_hour * 1024**2 / 3600 / SESSION_BYTES
    began = time.monotonic()
    while not alerted.wait(1 / LEAKS_A_SECOND):
        while len(LEAKED) < (time.monotonic() - began) * per_second:
            LEAKED[len(LEAKED)] = LeakedSession(len(LEAKED))


def snapshots(exporter: HeapExporter) -> list[dict[str, Any]]:
    """Return the figures of the snapshots in the folder."""
    return [asdict(info) | {"path": str(info.path)} for info in exporter.monitor.snapshots.store.list()]


def main(objects: str, window: str, mib_per_hour: str, folder: str) -> None:
    """Build the heap, wait, leak until the alert, and print what was measured."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    held = build(int(int(objects) / OBJECTS_FOR_EACH_TRACKED))
    ticker, alerted = Ticker(), threading.Event()
    exporter = heap_exporter.start(port=0, window=float(window), snapshot_dir=Path(folder))
    reading = exporter.monitor.reading()
    say(built=len(held), resident_bytes=reading.sample and reading.sample.process.resident_bytes)  # type: ignore[union-attr]

    def on_alert(alert: LeakAlert) -> None:
        say(alert=alert_document(alert), snapshots=snapshots(exporter), longest_pause=ticker.longest_seconds())
        alerted.set()

    exporter.on("leak", on_alert)
    alerted.wait(STEADY_WINDOWS * float(window))
    ticker.reset()
    say(leaks=True)
    leak(float(mib_per_hour), alerted)
    ticker.end()
    exporter.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
