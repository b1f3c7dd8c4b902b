"""A forked child has no descriptor of the files that its parent was writing or reading."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import create_environ
from werkzeug.wsgi import ClosingIterator

from heap_exporter.model import Point
from heap_exporter.recording.recorder import Recorder
from heap_exporter.runtime import descriptors
from heap_exporter.runtime.descriptors import close_descriptor, open_descriptor
from heap_exporter.runtime.file_lock import FolderLock
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from tests.doubles.web_source import PausedWalker, Process

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def open_below(folder: Path) -> list[str]:
    """Return the files of a folder that this process has open."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [path for path in found if path.startswith(str(folder))]


def open_in_child(folder: Path) -> int:
    """Return how many files of a folder a forked child has open."""
    child = os.fork()
    if child == 0:
        os._exit(len(open_below(folder)))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def snapshot_being_written(folder: Path, *, is_renamed: bool) -> Iterator[None]:
    walker, store = PausedWalker(), Store(folder, 5)
    if is_renamed:
        store._write_unnamed = lambda *_: False  # type: ignore[method-assign]  # as without O_TMPFILE
    walker.hold()
    thread = threading.Thread(target=Snapshots(walker, store, lambda: None).take, args=("",))
    thread.start()
    assert walker.walking.wait(30)
    try:
        yield
    finally:
        walker.go.set()
        thread.join()


@pytest.mark.parametrize("is_renamed", [False, True], ids=["unnamed", "renamed"])
def test_a_child_closes_the_snapshot_that_is_being_written(tmp_path: Path, is_renamed: bool) -> None:
    with snapshot_being_written(tmp_path, is_renamed=is_renamed):
        assert open_below(tmp_path)
        assert open_in_child(tmp_path) == 0

    assert len(Store(tmp_path, 5).list()) == 1


def test_a_child_closes_the_snapshot_that_is_being_downloaded(tmp_path: Path) -> None:
    process = Process(tmp_path)
    taken = process.snapshots.take("")
    environ = create_environ(f"/snapshots/{taken.id}/file") | {"REMOTE_ADDR": "127.0.0.1"}
    answer = process.app()(environ, lambda *_: io.BytesIO().write)

    assert open_below(tmp_path) == [str(taken.path)]
    assert open_in_child(tmp_path) == 0
    with closing(ClosingIterator(answer)) as blocks:
        assert b"".join(blocks) == taken.path.read_bytes()
    assert open_below(tmp_path) == []


def test_a_child_closes_locks_and_recordings(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, None)
    recorder.record(Point(1.0, 1))
    with FolderLock(tmp_path, "it.lock").holding():
        assert len(open_below(tmp_path)) == 2
        assert open_in_child(tmp_path) == 0


def test_a_fork_waits_for_a_file_that_another_thread_is_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_open, is_forking = threading.Event(), threading.Event()
    opened: list[int] = []
    real_open = os.open

    def open_until_the_fork(*arguments: Any, **named: Any) -> int:
        descriptor = real_open(*arguments, **named)
        is_open.set()
        is_forking.wait(30)
        return descriptor

    monkeypatch.setattr(descriptors.opening, "max_wait_seconds", 30.0)
    monkeypatch.setattr(os, "open", open_until_the_fork)
    os.register_at_fork(before=is_forking.set)  # the hook that is registered last runs first
    thread = threading.Thread(target=lambda: opened.append(open_descriptor(tmp_path / "file", os.O_RDWR | os.O_CREAT)))
    thread.start()
    assert is_open.wait(30)

    assert open_in_child(tmp_path) == 0
    thread.join()
    close_descriptor(opened[0])


def test_a_child_does_not_close_a_descriptor_of_the_application_with_a_reused_number(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "application").touch()
    number = open_descriptor(tmp_path / "file", os.O_RDONLY)
    application = os.open(tmp_path / "application", os.O_RDONLY)
    os.dup2(application, number)  # as a program does that closes all descriptors and opens its own

    assert open_in_child(tmp_path) == 2
    close_descriptor(number)
    assert len(open_below(tmp_path)) == 2
    os.close(number)
    os.close(application)


def test_a_child_that_was_forked_while_another_thread_was_opening_a_file_does_not_wait_for_it(tmp_path: Path) -> None:
    opening, end = threading.Event(), threading.Event()

    def open_slowly() -> None:
        with descriptors.opening.active():
            opening.set()
            end.wait()

    descriptor = open_descriptor(tmp_path / "a file", os.O_CREAT)
    thread = threading.Thread(target=open_slowly)
    thread.start()
    opening.wait()
    pid = os.fork()  # it waits for the other thread in vain
    if pid == 0:
        os._exit(0)
    watchdog = threading.Timer(30, os.kill, (pid, signal.SIGKILL))
    watchdog.start()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    watchdog.cancel()
    end.set()
    thread.join()
    close_descriptor(descriptor)

    assert code == 0
