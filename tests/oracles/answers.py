"""Runs DevTools' reader and memlab on ``.heapsnapshot`` files, and Go's ``pprof`` about profiles."""

from __future__ import annotations

import json
import subprocess
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.oracles.install import FOLDER, SOURCES, node, pprof

MEMLAB = FOLDER / "node_modules" / "memlab" / "bin" / "memlab"
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Answer:
    """A tool's result for one file: for each node, by its ordinal, the retained size and the immediate dominator.

    ``values`` has the other results; ``seconds`` and ``peak_bytes`` are the cost of the retained sizes.
    """

    nodes: int
    retained: list[int]
    dominators: list[int]
    values: dict[str, Any]


def devtools(snapshot: Path, retainers_of: Iterable[int] = ()) -> Answer:
    """Load a snapshot like the memory panel, and read the retainers of some nodes, by their ordinals."""
    sizes = snapshot.with_suffix(".devtools")
    values = _read_answer("devtools.mjs", "load", str(snapshot), str(sizes), *map(str, retainers_of))
    return _answer(values, sizes)


def devtools_comparison(before: Path, after: Path) -> dict[str, tuple[int, int, int]]:
    """Return what the Comparison view shows of each class that changed: objects new, objects deleted, bytes more."""
    values = _read_answer("devtools.mjs", "compare", str(before), str(after))
    return {name: (added, removed, growth) for name, added, removed, growth in values["classes"]}


def memlab_heap(snapshot: Path) -> Answer:
    """Load a snapshot as memlab's own analyses do."""
    sizes = snapshot.with_suffix(".memlab")
    return _answer(_read_answer("memlab.mjs", str(snapshot), str(sizes)), sizes)


def memlab(*words: str | Path, work: Path) -> str:
    """Return what a command of memlab prints; it keeps its files in ``work``."""
    # Its first line restarts it forever on Linux, where env takes the rest of that line as one word.
    done = _run(str(MEMLAB), *map(str, words), "--work-dir", str(work))
    return done.stdout + done.stderr


def pprof_prints(*words: str | Path) -> str:
    """Return what Go's pprof prints."""
    program = pprof()
    assert program is not None
    done = subprocess.run(
        [program, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _read_answer(script: str, *words: str) -> dict[str, Any]:
    values = json.loads(_run(str(SOURCES / script), *words).stdout.splitlines()[-1])
    assert isinstance(values, dict)
    return values


def _run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    program = node()
    assert program is not None
    done = subprocess.run(
        [str(program), "--expose-gc", "--max-old-space-size=8192", script, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done


def _answer(values: dict[str, Any], sizes: Path) -> Answer:
    numbers = array("d", sizes.read_bytes())
    sizes.unlink()
    sizes_and_dominators = [int(number) for number in numbers]
    nodes = values["nodes"]
    return Answer(nodes, sizes_and_dominators[:nodes], sizes_and_dominators[nodes:], values)
