"""Snapshots of processes at their limits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("walker", ["auto", "portable"])
def test_with_a_limit_on_file_size_the_snapshot_is_a_census(tmp_path: Path, walker: str) -> None:
    program = f"""
import json, resource
from heap_exporter.monitor import HeapMonitor
from heap_exporter.settings import Settings
held = [str(number) for number in range(400_000)]
resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
monitor = HeapMonitor(Settings.load({{}}, walker={walker!r}, snapshot_dir={str(tmp_path)!r}))
info = monitor.snapshot()
print(json.dumps([info.content, info.note, monitor.snapshots.outcomes["census_only"]]))
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    content, note, degraded = json.loads(output)
    assert (content, degraded) == ("census", 1)
    assert "the file size limit (ulimit -f) allows only 2 MiB" in note


@pytest.mark.parametrize("walker", ["auto", "portable"])
def test_at_the_limit_on_address_space_the_refusal_says_so(tmp_path: Path, walker: str) -> None:
    program = f"""
import resource
from heap_exporter.errors import SnapshotNoMemory
from heap_exporter.monitor import HeapMonitor
from heap_exporter.settings import Settings
monitor = HeapMonitor(Settings.load({{}}, walker={walker!r}, snapshot_dir={str(tmp_path)!r}))
mapped = int(open("/proc/self/status").read().split("VmSize:")[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (mapped + (4 << 20), mapped + (4 << 20)))
try:
    monitor.snapshot()
except SnapshotNoMemory as error:
    print(error)
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert "of address space, but the process's limit (ulimit -v) leaves only" in output
    assert list(tmp_path.glob("*.heap")) == []
