"""Measures one tool on a heap of its own: a row of the table of :mod:`tests.bench.walker`, as JSON.

The tool runs in the main thread, round after round, while a thread and an asyncio loop tick. A native walker
takes turns with a bare ``os.fork()`` of the same process, and has one more round in which the memory of its clone is
read.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bench.heap import build
from tests.bench.pauses import ticking
from tests.bench.tools import TOOLS, Outcome, Tool, fork_seconds

PATIENCE_SECONDS = 20.0
"""No further round begins after this time."""

LOOK_SECONDS = 0.01
MIB = 1 << 20


def measure(tool: Tool, rounds: int) -> dict[str, Any]:
    """Return the median seconds of the rounds, the peak memory in MiB, and the tool's result."""
    import_module(tool.module)
    readings: list[dict[str, float]] = []
    outcome, began = Outcome(), time.perf_counter()
    with ticking() as tickers:
        while len(readings) < rounds and time.perf_counter() - began < PATIENCE_SECONDS:
            reading = {"fork_seconds": fork_seconds()} if tool.native else {}
            for ticker in tickers:
                ticker.reset()
            resident, started = _resident_anew(), time.perf_counter()
            outcome = tool.run()
            reading["wall_seconds"] = time.perf_counter() - started
            reading["thread_pause_seconds"], reading["loop_pause_seconds"] = (
                ticker.longest_seconds() for ticker in tickers
            )
            reading["extra_mib"] = (_status("VmHWM") - resident) / MIB
            readings.append(reading)
    row = {name: statistics.median(reading[name] for reading in readings) for name in readings[0]}
    row["extra_mib"] = max(reading["extra_mib"] for reading in readings)
    return {"rounds": len(readings), **row, **asdict(outcome), "clone_mib": _clone_mib(tool)}


def _resident_anew() -> int:
    """Make the kernel forget the peak of the resident memory; return what is resident."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))


def _clone_mib(tool: Tool) -> float | None:
    """Return the most private dirty memory that a child of this process had while the tool ran once more."""
    if not tool.native:
        return None
    with _looking_at_children() as dirty:
        tool.run()
    return max(dirty) / MIB if dirty else None


@contextmanager
def _looking_at_children() -> Iterator[list[int]]:
    dirty: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK_SECONDS):
            for children in Path("/proc/self/task").glob("*/children"):
                with suppress(OSError, ValueError):  # a thread, or a child, that has just ended
                    dirty.extend(_private_dirty(int(child)) for child in children.read_text().split())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield dirty
    finally:
        done.set()
        thread.join()


def _private_dirty(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_Dirty:"))


def main() -> None:
    """Build the heap, measure the tool, print the row."""
    name, tracked, rounds = sys.argv[1:]
    held = build(int(tracked))
    row = measure(TOOLS[name], int(rounds))
    print(json.dumps({"tool": name, "tracked": int(tracked), "sessions": len(held), **row}), flush=True)
    os._exit(0)  # to take such a heap apart would take as long as the measurement


if __name__ == "__main__":
    main()
