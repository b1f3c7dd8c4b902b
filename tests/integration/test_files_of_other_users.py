"""Files of another user where a service of root writes: they damage nothing, block nothing and refuse no snapshot."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes.programs import eventually, next_json, program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as another user")

STRANGER = 4711
LOCKS = ("snapshot.lock", "budget.lock", "upload.lock", "comparison.lock")

SERVICE = """
    import json, sys
    import heap_exporter
    from heap_exporter.snapshot.budget import Budget

    exporter = heap_exporter.start(port=0, interval=0.2)
    refusal = Budget(exporter.monitor.snapshots.store, 3600, 12).request("a leak")
    taken = exporter.snapshot("test")
    exporter.stop()
    heap_exporter.start(port=0, interval=0.2)  # a start looks for snapshots to upload
    print(json.dumps({"refusal": refusal and refusal.reason, "path": str(taken.path)}), flush=True)
    sys.stdin.read()
"""

PIPES_AND_LOCKS = """
for name in ("budget.json", "uploads.json", ".budget.part", ".uploads.part"):
    os.mkfifo(name)
os.symlink(victim, "series")
for name in ("snapshot.lock", "budget.lock", "upload.lock"):
    fcntl.lockf(os.open(name, os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
"""

A_LINK = """
os.symlink(victim, "heap-exporter-0")
"""

A_FOLDER = (
    """
os.mkdir("heap-exporter-0", 0o777)
os.chdir("heap-exporter-0")
"""
    + PIPES_AND_LOCKS
)


@contextmanager
def stranger(code: str, folder: Path, victim: Path) -> Iterator[None]:
    """Run code as another user in a folder; its locks are held until the end."""
    preamble = f"import fcntl, os, sys\nos.setuid({STRANGER})\nvictim = {str(victim)!r}\n"
    command = [sys.executable, "-c", f"{preamble}{code}\nprint('done', flush=True)\nsys.stdin.read()"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        try:
            yield
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("code", "place", "own"),
    [
        pytest.param(PIPES_AND_LOCKS, "", "heap-exporter-0", id="the service writes to /tmp itself"),
        pytest.param(A_LINK, "heap-exporter-0", "heap-exporter-0-*", id="a link has the name of the default folder"),
        pytest.param(
            A_FOLDER,
            "heap-exporter-0",
            "heap-exporter-0-*",
            id="a folder has the name of the default folder",
            marks=pytest.mark.long,
        ),
    ],
)
def test_files_of_another_user_damage_nothing_and_block_nothing(
    tmp_path: Path, code: str, place: str, own: str
) -> None:
    shared, victim, uploaded = (tmp_path / name for name in ("shared", "victim", "uploaded"))
    for folder in (shared, victim, uploaded):
        folder.mkdir()
    shared.chmod(0o1777)
    for name in LOCKS:
        (victim / name).write_text("precious")
    settings = {
        "HEAP_EXPORTER_SNAPSHOT_DIR": str(shared / place),
        "HEAP_EXPORTER_UPLOAD_URL": f"file://{uploaded}",
    }

    with stranger(code, shared, victim), program(SERVICE, tmp_path, **settings) as process:
        answer = next_json(process)
        (folder,) = (path for path in shared.glob(own) if path.stat().st_uid == 0)
        eventually(lambda: list((folder / "series").glob("*.csv")))
        eventually(lambda: list(uploaded.glob("*.heap.sha256")))

    assert answer == {"refusal": None, "path": answer["path"]}
    assert Path(answer["path"]).parent == folder
    assert {"budget.json", "uploads.json", "series", Path(answer["path"]).name} <= {*os.listdir(folder)}
    assert {path.name: path.read_text() for path in victim.iterdir()} == dict.fromkeys(LOCKS, "precious")
