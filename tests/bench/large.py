"""Measures how soon a leak in a large heap is reported: from the first leaked object to the alert with type and holder.

A service of ten million objects leaks 100 MiB/h; its window is five minutes and all else is default. Prints the time to
the alert, the pauses of the snapshots, and the time and memory of the comparison. It takes about 17 minutes and 2 GiB.
Ends with 1 if the alert lacks type or holder, or comes after more than two windows. Run it with ``make bench-large``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

MIB = 1 << 20
MAX_WINDOWS = 2.0
LOOK_SECONDS = 0.1
MODULE = b"heap_exporter.snapshot.comparison_subprocess"


class ComparisonWatch:
    """Looks for the subprocess that compares the snapshots of ``folder``; keeps its time and its peak memory."""

    def __init__(self, folder: str) -> None:
        self._folder = folder.encode()
        self._stopped = threading.Event()
        self.seconds = 0.0
        self.peak_bytes = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            for pid in self._pids():
                self._measure(pid)

    def _pids(self) -> Iterator[str]:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                command = path.read_bytes()
                if MODULE in command and self._folder in command:
                    yield path.parent.name

    def _measure(self, pid: str) -> None:
        with suppress(OSError, KeyError):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            self.peak_bytes = max(self.peak_bytes, int(status["VmHWM"].split()[0]) * 1024)
            self.seconds += LOOK_SECONDS


def follow(command: list[str]) -> dict[str, Any]:
    """Run the service, and return the values of all its lines; the time of the leak and of the alert among them."""
    found: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            message = json.loads(line)
            found |= {"leaks_at": message["at"]} if "leaks" in message else {}
            found |= {"alert_at": message["at"]} if "alert" in message else {}
            found |= message
    return found


def rows(found: dict[str, Any], watch: ComparisonWatch, window: float) -> Iterator[tuple[str, str]]:
    """Yield the figures of the run, as texts."""
    alert, seconds = found["alert"], found["alert_at"] - found["leaks_at"]
    yield "resident memory before the leak", f"{found['resident_bytes'] / MIB:,.0f} MiB"
    yield "from the first leaked object to the alert", f"{seconds:.0f} s ({seconds / window:.2f} windows)"
    yield "type", str(alert["type_name"])
    yield "holder", str(alert["holder"])
    for info in sorted(found["snapshots"], key=lambda info: info["taken_at"]):
        figures = f"{info['objects']:,} objects, {info['bytes'] / MIB:.0f} MiB, took {info['duration_seconds']:.1f} s"
        yield "snapshot", f"{figures}, pause {info['pause_seconds'] * 1000:.0f} ms"
    yield "longest pause of a thread since the leak began", f"{found['longest_pause'] * 1000:.0f} ms"
    objects = max((info["objects"] for info in found["snapshots"]), default=0)
    each = f" ({watch.peak_bytes / objects:.0f} bytes an object)" if objects else ""
    yield "comparison: memory", f"{watch.peak_bytes / MIB:,.0f} MiB{each}"
    yield "comparison: time at the lowest priority", f"{watch.seconds:.0f} s"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=10_000_000, help="default: %(default)s")
    parser.add_argument("--window", type=float, default=300.0, help="seconds (default: %(default)g)")
    parser.add_argument("--mib-per-hour", type=float, default=100.0, help="the leak (default: %(default)g)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        watch = ComparisonWatch(folder)
        figures = (arguments.objects, arguments.window, arguments.mib_per_hour)
        found = follow([sys.executable, "-m", "tests.bench.large_service", *map(str, figures), folder])
        watch.end()
    if "alert" not in found:
        sys.exit("the service ended without an alert; its log is above")
    title = f"{arguments.objects:,} objects, {arguments.mib_per_hour:g} MiB/h, window {arguments.window:g} s"
    table = Table(title=f"{title}, {os.cpu_count()} cores", show_header=False)
    for row in rows(found, watch, arguments.window):
        table.add_row(*row)
    Console(width=120).print(table)
    is_named = found["alert"]["type_name"] and found["alert"]["holder"]
    is_soon = found["alert_at"] - found["leaks_at"] <= MAX_WINDOWS * arguments.window
    sys.exit(0 if is_named and is_soon else 1)


if __name__ == "__main__":
    main()
