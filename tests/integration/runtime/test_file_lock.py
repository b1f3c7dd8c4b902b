"""A lock on a folder, held by real processes that release it, fork or are killed."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heap_exporter.errors import SnapshotBusy
from heap_exporter.runtime import file_lock
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from tests.doubles.web_source import PausedWalker

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # other tests may have left threads

HOLDER = """
import sys, time
from pathlib import Path
from heap_exporter.runtime.file_lock import FolderLock
FolderLock(Path(sys.argv[1]), "snapshot.lock").acquire()
print("held", flush=True)
time.sleep(60)
"""

CONTENDER = """
import sys
from pathlib import Path
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
lock, inside, held = FolderLock(Path(sys.argv[1]), "it.lock"), Path(sys.argv[1]) / "inside", 0
print("ready", flush=True)
sys.stdin.readline()
while held < 150:
    try:
        with lock.holding():
            inside.mkdir()  # fails if another process is inside
            inside.rmdir()
            held += 1
    except LockHeld:
        pass
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock on snapshots."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_file_of_a_lock_exists_while_it_is_held(tmp_path: Path) -> None:
    with FolderLock(tmp_path, "it.lock").holding():
        assert [path.name for path in tmp_path.iterdir()] == ["it.lock"]
        assert (tmp_path / "it.lock").read_text().startswith(f"process {os.getpid()} of ")
    assert not list(tmp_path.iterdir())


def test_the_process_that_takes_a_snapshot_is_named(tmp_path: Path) -> None:
    walker = PausedWalker()
    snapshots = Snapshots(walker, Store(tmp_path, 5), lambda: None)
    with holder(tmp_path) as process:
        for request in (snapshots.take, snapshots.reserve):
            with pytest.raises(SnapshotBusy, match=f"by process {process.pid} of {os.uname().nodename}; only one"):
                request("")

    assert not walker.walking.is_set()
    assert snapshots.outcomes["busy"] == 2


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    snapshots = Snapshots(PausedWalker(), Store(tmp_path, 5), lambda: None)
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / "snapshot.lock").exists()

    assert snapshots.take("").content == "graph"
    assert not (tmp_path / "snapshot.lock").exists()


def test_one_of_many_processes_holds_the_lock_at_a_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CONTENDER, str(tmp_path)]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(4)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()

    assert [process.communicate(timeout=120) for process in running] == [("", "")] * 4


def test_two_locks_of_one_process_exclude_each_other_and_the_second_does_not_free_the_first(tmp_path: Path) -> None:
    with FolderLock(tmp_path, "snapshot.lock").holding():
        with pytest.raises(LockHeld, match="another thread"):
            FolderLock(tmp_path, "snapshot.lock").acquire()
        contender = subprocess.run(
            [sys.executable, "-c", HOLDER, tmp_path], capture_output=True, text=True, check=False, timeout=30
        )

    assert "LockHeld" in contender.stderr


def test_a_forked_child_does_not_have_the_lock_and_leaves_it_to_its_parent(tmp_path: Path) -> None:
    held = FolderLock(tmp_path, "it.lock")
    held.acquire()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            held.release()
            code = 2
            FolderLock(tmp_path, "it.lock").acquire()
            code = 3
        except LockHeld:
            code = 0
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert held.path.exists()
    held.release()


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EROFS])
def test_where_no_lock_is_possible_threads_are_kept_out_and_the_log_has_one_warning(
    tmp_path: Path, error: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr("fcntl.lockf", refuse)
    held = FolderLock(tmp_path, "it.lock")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with held.holding():
                assert not held.excludes_others
                with pytest.raises(LockHeld):
                    FolderLock(tmp_path, "it.lock").acquire()

    assert caplog.text.count("cannot be locked, so other processes may use it too") == 1


def test_without_fcntl_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "fcntl", None)
    with FolderLock(tmp_path, "it.lock").holding():
        assert not list(tmp_path.iterdir())
