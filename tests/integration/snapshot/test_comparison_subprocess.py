"""The subprocess that compares two snapshots stops as soon as too little memory is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.heaps.files import small_graph, write_file

MIB = 1024**2

BECOMES_SHORT = """
import sys, threading
from heap_exporter.snapshot import comparison_subprocess

MIB = 1024**2
left = iter([4000 * MIB, 4000 * MIB])
comparison_subprocess.read_headroom = lambda: next(left, 10 * MIB)
comparison_subprocess.analysis.open = lambda _path: threading.Event().wait()  # it works for ever
comparison_subprocess.main(*sys.argv[1:])
"""


GROWS_SLOWLY = """
import sys, threading
from heap_exporter.snapshot import comparison_subprocess

def fill(_path):
    kept = [object() for _ in range(10_000_000)]
    threading.Event().wait()

comparison_subprocess.read_headroom = lambda: None
comparison_subprocess.analysis.open = fill
comparison_subprocess.main(*sys.argv[1:])
"""


FAILS_AT_THE_PAGE = """
import sys, threading
from heap_exporter.snapshot import comparison_subprocess

def fail(_diff):
    if "{failure}" == "shortage of memory":
        comparison_subprocess.read_headroom = lambda: 0
        threading.Event().wait()
    raise {{"MemoryError": MemoryError, "OSError": OSError}}.get("{failure}", ZeroDivisionError)

comparison_subprocess.read_headroom = lambda: None
comparison_subprocess.html.render = fail
comparison_subprocess.main(*sys.argv[1:])
"""


RECORDS_ITS_TIME = """
import sys, time
from heap_exporter.snapshot import comparison_subprocess

def compare(*_):
    print(time.monotonic(), flush=True)
    time.sleep(0.3)
    print(time.monotonic(), flush=True)
    raise MemoryError

comparison_subprocess.read_headroom = lambda: None
comparison_subprocess.analysis.compare = compare
comparison_subprocess.main(*sys.argv[1:])
"""


def compared(code: str, before: Path, after: Path, limit_bytes: int = 900 * MIB) -> Any:
    """Run the subprocess with some of its functions replaced, and return the document that it writes."""
    command: list[str | Path] = [
        sys.executable,
        "-c",
        code,
        before,
        after,
        before.parent,
        "b",
        *map(str, (800 * MIB, limit_bytes)),
    ]
    subprocess.run(command, check=True, timeout=60)
    return json.loads((before.parent / "b.report.json").read_text())


@pytest.mark.parametrize("failure", ["MemoryError", "OSError", "ZeroDivisionError", "shortage of memory"])
def test_a_page_that_cannot_be_written_costs_only_the_page(failure: str, tmp_path: Path) -> None:
    before, after = (write_file(tmp_path / name, small_graph) for name in ("a.heap", "b.heap"))

    document = compared(FAILS_AT_THE_PAGE.format(failure=failure), before, after)

    assert document["document"] == "report"
    assert not (tmp_path / "b.report.html").exists()


def test_it_ends_and_records_how_much_memory_was_left(tmp_path: Path) -> None:
    before, after = tmp_path / "a 1.heap", tmp_path / "b.heap"

    document = compared(BECOMES_SHORT, before, after)

    assert document["before"] == {"id": "a 1"}
    assert document["problem"] == {"kind": "memory-ran-short", "available_bytes": 10 * MIB, "error": ""}


def test_it_ends_at_its_limit_before_small_allocations_fail(tmp_path: Path) -> None:
    document = compared(GROWS_SLOWLY, tmp_path / "a.heap", tmp_path / "b.heap", limit_bytes=60 * MIB)

    assert document["problem"]["kind"] == "over-memory-limit"


def test_two_that_begin_at_once_compare_one_after_the_other(tmp_path: Path) -> None:
    for name in ("a.heap", "b.heap"):
        write_file(tmp_path / name, small_graph)
    arguments = (tmp_path / "a.heap", tmp_path / "b.heap", tmp_path)
    commands = [
        [sys.executable, "-c", RECORDS_ITS_TIME, *arguments, after_id, str(800 * MIB), str(900 * MIB)]
        for after_id in ("b", "c")
    ]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    (begun, ended), (later_begun, _) = sorted(
        tuple(map(float, each.communicate(timeout=60)[0].split())) for each in started
    )

    assert begun < ended <= later_begun
    assert not (tmp_path / "comparison.lock").exists()
