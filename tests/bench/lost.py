"""Measures the search for lost memory in a process with millions of objects.

    python -m tests.bench.lost [OBJECTS]

Prints the processor time of the clone, the pause of the process, and the memory that the clone copies. The
limits are 2.5 s and 7 % of the memory in RAM for 1 GiB.
"""

from __future__ import annotations

import gc
import re
import sys
import time
from pathlib import Path

from tests.native.clones import begin_search

SESSIONS = 1_500_000
ROUNDS = 3
LOOK_SECONDS = 0.05
MIB = 1 << 20


class Session:
    """An instance with a list, a dict, a tuple, str, int and bytes: some ten blocks."""

    def __init__(self, number: int) -> None:
        self.history = [number, str(number)]
        self.flags = {"number": number, "pair": (number,)}
        self.token = bytes(60)


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / MIB


def _private_mib(pid: int) -> float:
    """Return the memory that a clone has copied, 0 once it has ended."""
    try:
        found = re.search(r"Private_Dirty: +([0-9]+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def main(arguments: list[str]) -> None:
    """Measure some searches, and print a line for each."""
    gc.disable()
    held = [Session(number) for number in range(int(arguments[0]) if arguments else SESSIONS)]
    resident = _resident_mib()
    for _ in range(ROUNDS):
        search, private = begin_search(), 0.0
        while not search.poll():
            private = max(private, _private_mib(search.pid))
            time.sleep(LOOK_SECONDS)
        result = search.result()
        blocks = result["lost"][2] / 1e6
        print(
            f"{resident:,.0f} MiB in RAM, {blocks:.1f} million blocks: {result['cpu_ns'] / 1e9:.2f} s of a core, "
            f"{search.pause_ns / 1e6:.0f} ms pause, {private / resident:.1%} copied"
        )
    del held


if __name__ == "__main__":
    main(sys.argv[1:])
