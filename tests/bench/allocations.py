"""Measures what sampling allocations costs: CPU time of loads with and without it, in alternating pairs.

    python -m tests.bench.allocations            # each tool in a process of its own; prints a Markdown table
    python -m tests.bench.allocations --pairs 24

A cell is the median over the pairs of CPU time with the tool ÷ without; the row ``nothing`` shows the noise. Run it
with ``make bench-allocations``, on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.bench.allocation_loads import Load, loads
from tests.bench.allocation_tools import TOOLS, RecordingTool

SLOW_TOOLS = ("memray, aggregated", "tracemalloc, 1 frame")
SLOW_PAIRS = 4


def ratios(tool: RecordingTool, load: Load, pairs: int) -> list[float]:
    """Return CPU time with the tool ÷ without, of each pair; every other pair begins with the tool."""
    load()
    return [_pair(tool, load, tool_first=number % 2 == 1) for number in range(pairs)]


def _pair(tool: RecordingTool, load: Load, *, tool_first: bool) -> float:
    seconds: dict[bool, float] = {}
    for is_on in (tool_first, not tool_first):
        gc.collect()
        if is_on:
            with tool.recording():
                seconds[is_on] = _cpu_seconds(load)
        else:
            seconds[is_on] = _cpu_seconds(load)
    return seconds[True] / seconds[False]


def _cpu_seconds(load: Load) -> float:
    began = time.process_time()
    load()
    return time.process_time() - began


def row(name: str, pairs: int) -> dict[str, list[float]]:
    """Return the ratios of a tool by load, measured in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.allocations", "--pairs", str(pairs), "--tool", name]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one tool, or print the table of all that are installed."""
    parser = argparse.ArgumentParser(description="the CPU time of sampling allocations")
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--tool", choices=TOOLS)
    options = parser.parse_args(arguments)
    if options.tool:
        tool = TOOLS[options.tool]
        print(json.dumps({name: ratios(tool, load, options.pairs) for name, load in loads().items()}))
        return
    names = list(loads())
    print(f"| tool | {' | '.join(names)} |", f"|---|{'--:|' * len(names)}", sep="\n")
    for title, tool in TOOLS.items():
        if tool.installed:
            found = row(title, SLOW_PAIRS if title in SLOW_TOOLS else options.pairs)
            cells = (f"{statistics.median(found[name]):.3f}" for name in names)
            print(f"| {title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
