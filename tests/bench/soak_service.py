"""A service to soak: it leaks until that is told, lets all of it go, fills a cache, and so on, until it is to end.

What it holds itself is the same whenever it says on its output, in a line of JSON, that it is calm or done: all that
has grown until then is the exporter's. When it is done it waits for a line. Its arguments are the settings as JSON, for
how many windows a suspicion may take to end, and ``lives`` if the exporter is to be stopped and started anew each time:
the judge knows a leak that was reset as a sawtooth, until a new life begins.
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

import heap_exporter
from heap_exporter import HeapExporter

ENTRY_BYTES = 128 * 1024
ENTRIES_A_WINDOW = 160
MAX_ENTRIES = 4 * ENTRIES_A_WINDOW
MIN_CALM_WINDOWS = 2
"""How long it is calm at least once all is let go; a suspicion is given longer to end."""


class Session:
    """What is leaked, and what is cached."""

    __slots__ = ("body",)

    def __init__(self) -> None:
        self.body = bytearray(ENTRY_BYTES)


SESSIONS: dict[int, Session] = {}


@functools.lru_cache(maxsize=MAX_ENTRIES)
def page(_number: int) -> Session:
    """Return a page from the cache."""
    return Session()


def leak(number: int) -> None:
    """Keep one more session for ever."""
    SESSIONS[number] = Session()


class Service:
    """Goes through its phases with an exporter."""

    def __init__(self, settings: dict[str, object], calm_windows: int) -> None:
        self._settings = settings
        self._calm_windows = calm_windows
        self._window_seconds = float(str(settings["window_seconds"]))
        self._told = threading.Event()
        self._cleared = 0

    def start(self) -> HeapExporter:
        """Start the exporter, and say where it is."""
        exporter = heap_exporter.start(port=0, **self._settings)
        exporter.on("leak", lambda _: self._told.set())
        self._cleared = 0
        print(json.dumps({"url": exporter.url}), flush=True)
        return exporter

    def grow(self, add: Callable[[int], object]) -> None:
        """Add entries until a leak is told, or there are many."""
        self._told.clear()
        for number in range(MAX_ENTRIES):
            if self._told.wait(self._window_seconds / ENTRIES_A_WINDOW):
                return
            add(number)

    def calm_down(self, exporter: HeapExporter) -> None:
        """Let everything go, wait until nothing is suspected, and say what the exporter has done."""
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
    """Serve until the input says ``end`` or ends."""
    service, lives = Service(json.loads(sys.argv[1]), int(sys.argv[2])), "lives" in sys.argv[3:]
    exporter = service.start()
    for number in itertools.count():
        service.grow(leak if number % 3 != 2 else page)
        service.calm_down(exporter)
        if sys.stdin.readline() != "go on\n":
            break
        if lives:
            exporter.stop()
            exporter = service.start()
    exporter.stop()


if __name__ == "__main__":
    main()
