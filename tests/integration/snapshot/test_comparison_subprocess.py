"""The subprocess that compares two snapshots stops as soon as too little memory is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BECOMES_SHORT = """
import sys, threading
from heap_exporter.snapshot import comparison_subprocess

MIB = 1024**2
left = iter([4000 * MIB, 4000 * MIB])
comparison_subprocess.read_headroom = lambda: next(left, 10 * MIB)
comparison_subprocess.analysis.open = lambda _path: threading.Event().wait()  # it works for ever
comparison_subprocess.main(*sys.argv[1:])
"""


def test_it_ends_and_states_how_to_compare_the_snapshots_on_another_machine(tmp_path: Path) -> None:
    before, after, name = tmp_path / "a 1.heap", tmp_path / "b.heap", "b.report.json"
    command: list[str | Path] = [sys.executable, "-c", BECOMES_SHORT, before, after, tmp_path, name, str(800 * 1024**2)]

    subprocess.run(command, check=True, timeout=60)

    document = json.loads((tmp_path / name).read_text())
    assert document["before"] == {"id": "a 1"}
    assert document["problem"] == (
        "the comparison was stopped because only 10.0 MiB of memory was left; to compare the snapshots on another "
        f"machine, copy them and run `heap-exporter report '{before}' {after}`"
    )
