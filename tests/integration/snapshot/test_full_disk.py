"""A disk that becomes full at any point of a write: no incomplete file, no lost file, and the outcome is counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from heap_exporter.heapfile.reader import SnapshotReader
from tests.processes.programs import KEEPS_NO_BYTECODE
from tests.rows import first

PROGRAM = """
import json, os, resource, subprocess, sys
from pathlib import Path
from heap_exporter.errors import SnapshotNoDisk
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.store import Store
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.walker.fallback_walker import choose_walker

held = [[number] for number in range(2000)]
walker = choose_walker(sys.argv[2])
step = int(sys.argv[4])  # each point is tried, or each third or so
store = Store(Path(sys.argv[1]), 20, min_free_bytes=0)
if sys.argv[3] == "renamed":
    store._write_unnamed = lambda *_: False  # as on a file system without O_TMPFILE

def names():
    return sorted(path.name for path in store.directory.iterdir() if path.suffix != ".filler")

def attempt():
    # The preflight would refuse: the test is about a disk that fills during the write.
    snapshots = Snapshots(walker, store, lambda: None)
    before = {name: (store.directory / name).stat().st_size for name in names()}
    store.prepare = lambda: 1 << 40
    problem = ""
    try:
        snapshots.take("full")
    except SnapshotNoDisk as error:
        problem = str(error)
    after = {name: (store.directory / name).stat().st_size for name in names()}
    return {"problem": problem, "outcomes": snapshots.outcomes, "new": sorted(set(after) - set(before)),
            "lost": sorted(name for name in before if after.get(name) != before[name])}
"""

SWEEP = """
first = Snapshots(walker, store, lambda: None).take("first")
def fill(left):
    filler = store.directory / "it.filler"
    filler.unlink(missing_ok=True)
    free = os.statvfs(store.directory).f_bavail * os.statvfs(store.directory).f_frsize
    filler.write_bytes(b"x" * (free - left))
pages = [*range(0, 40960, 4096), *range(40960, first.bytes, first.bytes // 12 // 4096 * 4096)]
for left in [*pages[::step], 8 << 20]:
    fill(left)
    budget = Budget(store, 3600, 1000)
    result = attempt()
    result["refusal"] = str(budget.request(f"leak {left}"))
    result["left"], result["bytes"] = left, first.bytes
    result["budget"] = budget.request(f"leak {left}", snapshots=0) is not None
    print(json.dumps(result), flush=True)
    for name in result["new"]:
        (store.directory / name).unlink()
"""

LIMITS = """
first = Snapshots(walker, store, lambda: None).take("first")
import heap_exporter.snapshot.preflight as preflight
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
read_free_resources = preflight.read_free_resources
preflight.read_free_resources = lambda *given: preflight.FreeResources(None, None, None, 1 << 40)
limits = [0, 1, 7, 8, 9, 100, 500, 1000, *range(4096, first.bytes, first.bytes // 12)]
for most in [*limits[::step], first.bytes * 95 // 100]:  # sizes of two snapshots differ a little
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    result = attempt()
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    print(json.dumps(result | {"left": most}), flush=True)
"""

walkers = pytest.mark.parametrize(
    ("walker", "step"), first(2, [("native", 2), ("portable", 8), ("native", 1), ("portable", 1)])
)
ways = pytest.mark.parametrize("way", ["unnamed", "renamed"])


def run(code: str, folder: Path, *arguments: str) -> list[dict[str, object]]:
    command = [sys.executable, "-c", PROGRAM + code, str(folder), *arguments]
    environ = os.environ | KEEPS_NO_BYTECODE
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=environ)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def judge(attempts: list[dict[str, object]], folder: Path) -> None:
    """Fail unless each attempt either wrote a whole snapshot or left nothing, with a reason."""
    for result in attempts:
        outcomes, new = result["outcomes"], result["new"]
        assert isinstance(outcomes, dict)
        assert isinstance(new, list)
        assert result["lost"] == [], result
        assert outcomes["failed"] == outcomes["busy"] == 0, result
        assert (outcomes["no_disk"], len(new)) in [(1, 0), (0, 1)], result
        assert bool(result["problem"]) == (not new), result
        assert all(name.endswith(".heap") for name in new), result
    for path in folder.glob("*.heap"):
        with SnapshotReader(path) as reader:
            assert sum(1 for _ in reader.records()) > 2000


@walkers
@ways
def test_a_disk_that_fills_at_any_point_leaves_all_or_nothing(
    tmpfs_mount: Path, walker: str, step: int, way: str
) -> None:
    attempts = run(SWEEP, tmpfs_mount, walker, way, str(step))

    judge(attempts, tmpfs_mount)
    assert len({bool(result["problem"]) for result in attempts}) == 2, "it was never full, or always full"
    for result in attempts:
        assert (result["refusal"] == "None") == result["budget"], result
    assert "the snapshot cannot be counted against the daily limit" in str(attempts[0]["refusal"])


@walkers
@ways
def test_a_limit_on_file_size_at_any_point_leaves_all_or_nothing(
    tmp_path: Path, walker: str, step: int, way: str
) -> None:
    attempts = run(LIMITS, tmp_path, walker, way, str(step))

    judge(attempts, tmp_path)
    assert all(result["problem"] for result in attempts)
