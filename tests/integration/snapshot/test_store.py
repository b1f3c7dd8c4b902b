"""Snapshot folders on full and read-only disks, and of killed processes."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heap_exporter.errors import SnapshotNoDisk
from heap_exporter.heapfile.format import SUFFIX, BlockWriter
from heap_exporter.snapshot.store import Store
from tests.processes.programs import KEEPS_NO_BYTECODE
from tests.unit.snapshot.test_store import both_ways, files, snapshot_id, write


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"tmpfs{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
        )
        if done.returncode != 0:
            pytest.skip("may not mount a tmpfs here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


@both_ways
def test_a_full_disk_is_an_error_with_its_path_and_leaves_no_file(
    tmpfs: Callable[[str], Path], way: Callable[[Store], None]
) -> None:
    folder = tmpfs("size=64k,mode=0700")
    store = Store(folder, keep=3)
    way(store)
    kept = write(store, 1)

    with pytest.raises(SnapshotNoDisk, match="No space left on device"):
        store.write(snapshot_id(2), lambda file: BlockWriter(file).write(b"x" * 400_000))

    assert files(folder) == [f"{kept}{SUFFIX}"]


def test_a_read_only_folder_is_an_error_with_its_path(tmpfs: Callable[[str], Path]) -> None:
    with pytest.raises(SnapshotNoDisk, match="cannot write to the folder"):
        write(Store(tmpfs("ro,mode=0700"), keep=3))


def test_a_limit_on_file_size_is_an_error_with_its_path(tmp_path: Path) -> None:
    program = f"""
import os
import resource
from pathlib import Path
from heap_exporter.errors import SnapshotNoDisk
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.snapshot.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    Store(Path({str(tmp_path)!r}), 3).write({snapshot_id(1)!r}, lambda file: BlockWriter(file).write(b"x" * 27_000))
except SnapshotNoDisk as error:
    print(error)
"""
    environ = os.environ | KEEPS_NO_BYTECODE
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)

    assert "File too large" in finished.stdout
    assert files(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 10_000


def test_a_killed_process_leaves_no_file(tmp_path: Path) -> None:
    program = f"""
import os, time
from pathlib import Path
from heap_exporter.snapshot.store import Store
def fill(file):
    os.write(file, b"half a snapshot")
    print("half", flush=True)
    time.sleep(60)
Store(Path({str(tmp_path)!r}), 3).write({snapshot_id(1)!r}, fill)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)

    assert files(tmp_path) == []
