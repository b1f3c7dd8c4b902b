"""Measures the time and memory from a snapshot to all retained sizes: heap-exporter and other tools, on one heap.

Each tool runs in a new process: seconds are its own, from the file to the sizes, and memory is its peak resident size.
The other tools read files that heap-exporter converted. Prints a Markdown table for each size, also for the README.
Run it with ``make bench-analysis``, after ``make oracles``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.oracles.install import SOURCES, is_installed, node

COLUMNS = ("tool", "seconds", "÷ DevTools", "peak memory MiB", "÷ DevTools")
MAX_ROUNDS, OBJECTS_IN_ALL_ROUNDS = 5, 3_000_000
"""The default number of rounds: the slowest tool takes minutes for the largest heap."""

PORTABLE_OBJECTS = 1_000_000
"""The largest heap for the kernel in Python, in objects that the collector tracks."""

MIB = 1 << 20


class Reading(NamedTuple):
    """The time and memory of one process; ``row`` is what it printed."""

    seconds: float
    peak_bytes: int
    row: dict[str, Any]


class Files(NamedTuple):
    """One heap, as the tools read it."""

    before: Path
    after: Path
    heapsnapshot: Path
    edges: Path


def run(command: Sequence[str | Path], seconds_of: Callable[[dict[str, Any]], float] | None) -> Reading:
    """Run a process that prints a row as JSON; take its own seconds, or without ``seconds_of`` those of the process."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=errors)
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            last_words = errors.read()[-2000:].decode(errors="replace")
            sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}: {last_words}")
    row = json.loads(output.splitlines()[-1]) if seconds_of else {}
    return Reading(seconds_of(row) if seconds_of else seconds, usage.ru_maxrss * 1024, row)


def python(verb: str, *words: str | Path) -> Reading:
    """Run a verb of the row module."""
    command: list[str | Path] = [sys.executable, "-m", "tests.bench.analysis_row", verb, *words]
    return run(command, lambda row: float(row.get("seconds", 0)))


def javascript(script: str, *words: str | Path) -> Reading:
    """Run a script of the oracles."""
    command: list[str | Path] = [str(node()), "--expose-gc", "--max-old-space-size=12288", SOURCES / script, *words]
    return run(command, lambda row: float(sum(row["seconds"]) if isinstance(row["seconds"], list) else row["seconds"]))


def reported(files: Files) -> Reading:
    """Run the whole command that compares two snapshots."""
    page = files.before.with_suffix(".html")
    command: list[str | Path] = [sys.executable, "-m", "heap_exporter", "report", files.before, files.after, "-o", page]
    return run(command, None)


TOOLS: dict[str, tuple[str, Callable[[Files], Reading]]] = {
    "native": ("**heap-exporter**, file to all retained sizes", lambda files: python("native", files.after)),
    "devtools": (
        "Chrome DevTools' own worker, parse + init",
        lambda files: javascript("devtools.mjs", "load", files.heapsnapshot),
    ),
    "memlab": ("memlab, parse + dominators + paths", lambda files: javascript("memlab.mjs", files.heapsnapshot)),
    "igraph": ("igraph `dominator`, edges in memory", lambda files: python("igraph", files.edges)),
    "portable": ("heap-exporter without its kernel", lambda files: python("portable", files.after)),
    "report": ("**heap-exporter** `report A B -o page.html`, the whole command", reported),
}


def prepared(tracked: int, folder: Path) -> tuple[Files, str]:
    """Return the files of a heap, and a sentence about it."""
    files = Files(*(folder / f"{tracked}{name}" for name in ("-a.heap", "-b.heap", ".heapsnapshot", ".edges")))
    made = python("make", str(tracked), files.before, files.after).row
    seconds = python("convert", files.after, files.heapsnapshot, files.edges).seconds
    sizes = [path.stat().st_size / 1e6 for path in (files.after, files.heapsnapshot)]
    sentence = (
        f"{tracked:,} gc-tracked objects: {made['objects']:,} objects, {made['references']:,} references; the snapshot"
        f" has {sizes[0]:.0f} MB, the .heapsnapshot {sizes[1]:.0f} MB (written in {seconds:.1f} s)"
    )
    return files, sentence


def medians(tool: Callable[[Files], Reading], files: Files, rounds: int) -> Reading:
    """Return the median seconds and the peak memory of the rounds."""
    readings = [tool(files) for _ in range(rounds)]
    seconds = statistics.median(reading.seconds for reading in readings)
    return Reading(seconds, max(reading.peak_bytes for reading in readings), readings[-1].row)


def cells(title: str, reading: Reading, baseline: Reading | None) -> list[str]:
    """Return a row as the cells of the table."""
    ratios = ["", ""]
    if baseline:
        ratios = [f"{reading.seconds / baseline.seconds:.2f}", f"{reading.peak_bytes / baseline.peak_bytes:.2f}"]
    return [title, f"{reading.seconds:.2f}", ratios[0], f"{reading.peak_bytes / MIB:,.0f}", ratios[1]]


def markdown(table: Sequence[Sequence[str]]) -> str:
    """Return a table, its columns first, in Markdown."""
    head, *body = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([head, "|---" + "|---:" * (len(COLUMNS) - 1) + "|", *body])


def growth(name: str, sizes: Sequence[int], readings: Sequence[Reading]) -> str:
    """Return the growth of a tool's cost from the smallest heap to the largest, compared with n log n."""
    (small, large), (first, last) = (sizes[0], sizes[-1]), (readings[0], readings[-1])
    expected = large * math.log2(large) / (small * math.log2(small))
    return (
        f"{name}: from {small:,} to {large:,}, {last.seconds / first.seconds:.1f} × the seconds and"
        f" {last.peak_bytes / first.peak_bytes:.1f} × the memory; n log n is {expected:.1f} ×"
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = [200_000, 1_000_000, 5_000_000]
    parser.add_argument("--tracked", type=int, nargs="+", default=sizes, help="gc-tracked objects (%(default)s)")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS), help="default: all")
    parser.add_argument(
        "--rounds", type=int, help="the number of rounds for the medians; default: five, fewer for large heaps"
    )
    arguments = parser.parse_args()
    if not is_installed():
        sys.exit("the other tools are not there: run `make oracles` first")
    history: dict[str, list[Reading]] = {}
    for tracked in arguments.tracked:
        rounds = arguments.rounds or min(MAX_ROUNDS, max(1, OBJECTS_IN_ALL_ROUNDS // tracked))
        tools = [name for name in arguments.tools if name != "portable" or tracked <= PORTABLE_OBJECTS]
        with tempfile.TemporaryDirectory() as folder:
            files, sentence = prepared(tracked, Path(folder))
            readings = {name: medians(TOOLS[name][1], files, rounds) for name in tools}
        rows = [cells(TOOLS[name][0], readings[name], readings.get("devtools")) for name in tools]
        print(f"\n**{sentence}**; {f'medians of {rounds}' if rounds > 1 else 'one look'}\n")
        print(markdown([COLUMNS, *rows]), flush=True)
        for name, reading in readings.items():
            history.setdefault(name, []).append(reading)
    print()
    for name in ("native", "report"):
        if len(history.get(name, [])) == len(arguments.tracked) > 1:
            print(growth(name, arguments.tracked, history[name]))


if __name__ == "__main__":
    main()
