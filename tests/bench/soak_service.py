"""A service for the soak test: it leaks until an alert, frees everything, fills a cache, and repeats this.

When it prints a line of JSON, that it is calm or done, it always holds the same memory: any growth is the exporter's.
When it is done it waits for a line. Its arguments are the settings as JSON, the number of windows that a suspicion may
take to end, and ``restarts`` if it restarts the exporter each time: without a restart the judge takes a leak that was
freed for a sawtooth.
"""

from __future__ import annotations

import functools
import gc
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import heap_exporter
from heap_exporter import HeapExporter

ENTRY_BYTES = 128 * 1024
ENTRIES_A_WINDOW = 160
MAX_ENTRIES = 4 * ENTRIES_A_WINDOW
MIN_CALM_WINDOWS = 2
"""The shortest calm after everything is freed; a suspicion may take longer to end."""


class Session:
    """An entry of the leak and of the cache."""

    __slots__ = ("body",)

    def __init__(self) -> None:
        self.body = bytearray(ENTRY_BYTES)


SESSIONS: dict[int, Session] = {}


@functools.lru_cache(maxsize=MAX_ENTRIES)
def page(_number: int) -> Session:
    """Return a page from the cache."""
    return Session()


def leak(number: int) -> None:
    """Keep one more session."""
    SESSIONS[number] = Session()


class Service:
    """Runs its phases with an exporter."""

    def __init__(self, settings: dict[str, Any], calm_windows: int) -> None:
        self._settings = settings
        self._calm_windows = calm_windows
        self._window_seconds = float(str(settings["window"]))
        self._alerted = threading.Event()
        self._cleared = 0

    def start(self) -> HeapExporter:
        """Start the exporter, and print its address."""
        exporter = heap_exporter.start(port=0, **self._settings)
        exporter.on("leak", lambda _: self._alerted.set())
        self._cleared = 0
        print(json.dumps({"url": exporter.url}), flush=True)
        return exporter

    def grow(self, add: Callable[[int], object]) -> None:
        """Add entries until an alert, or up to a maximum."""
        self._alerted.clear()
        for number in range(MAX_ENTRIES):
            if self._alerted.wait(self._window_seconds / ENTRIES_A_WINDOW):
                return
            add(number)

    def calm_down(self, exporter: HeapExporter) -> None:
        """Free everything, wait until nothing is suspected, and print the exporter's counters."""
        SESSIONS.clear()
        page.cache_clear()
        gc.collect()
        was_suspicious = _is_suspicious(exporter)
        for half in range(2 * self._calm_windows):
            if half >= 2 * MIN_CALM_WINDOWS and not _is_suspicious(exporter):
                self._cleared += was_suspicious
                break
            time.sleep(self._window_seconds / 2)
            print(json.dumps({"calm": True}), flush=True)
        counters = exporter.monitor.reading().counters
        done = {
            "suspicions": counters.detections,
            "suspicions cleared": self._cleared,
            "alerts": counters.alerts,
            "errors": sum(counters.sample_errors.values()),
            **{f"snapshots {outcome}": count for outcome, count in counters.snapshots.items()},
            **{f"webhooks {outcome}": count for outcome, count in counters.webhooks.items()},
        }
        print(json.dumps({"done": done}), flush=True)


def _is_suspicious(exporter: HeapExporter) -> bool:
    verdict = exporter.verdict()
    return verdict is not None and verdict.is_suspicion


def main() -> None:
    """Serve until the input has the line ``end``, or ends."""
    service, restarts = Service(json.loads(sys.argv[1]), int(sys.argv[2])), "restarts" in sys.argv[3:]
    exporter = service.start()
    for number in itertools.count():
        service.grow(leak if number % 3 != 2 else page)
        service.calm_down(exporter)
        if sys.stdin.readline() != "go on\n":
            break
        if restarts:
            exporter.stop()
            exporter = service.start()
    exporter.stop()


if __name__ == "__main__":
    main()
