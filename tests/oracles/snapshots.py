"""Real processes to take snapshots of: `python -m tests.oracles.snapshots heap|leak …`."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

from heap_exporter.walker.fallback_walker import choose_walker
from tests.bench.heap import build
from tests.heaps.walks import snapshot

LEAKED_A_ROUND = 60
REQUEST = "__main__.Request"
ROUNDS = ("first", "second", "third")


class Request:
    """An object of the leak."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.body = bytearray(4096)


SEEN: list[Request] = []
"""The list that leaks."""


def snapshot_of_heap(tracked: int, path: Path) -> Path:
    """Return a snapshot of a new process with ``tracked`` gc-tracked objects and 1.9 times as many others."""
    _run("heap", str(tracked), str(path))
    return path


def snapshots_of_leak(folder: Path, leaked: int = LEAKED_A_ROUND) -> list[Path]:
    """Return three snapshots of one process that leaks ``leaked`` requests between them."""
    _run("leak", str(folder), str(leaked))
    return [folder / f"{name}.heap" for name in ROUNDS]


def _run(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "tests.oracles.snapshots", *words], check=True, cwd=Path(__file__).parents[2])


def _heap(tracked: str, path: str) -> None:
    held = build(int(tracked))
    snapshot(choose_walker("auto"), Path(path))
    assert held


def _leak(folder: str, leaked: str) -> None:
    walker = choose_walker("auto")
    for name in ROUNDS:
        gc.collect()
        snapshot(walker, Path(folder, f"{name}.heap"))
        SEEN.extend(Request(number) for number in range(int(leaked)))


if __name__ == "__main__":
    if sys.argv[1] == "heap":
        _heap(*sys.argv[2:])
    else:
        _leak(*sys.argv[2:])
    os._exit(0)  # the deallocation of a large heap takes as long as its construction
