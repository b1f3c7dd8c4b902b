import logging
import threading
from pathlib import Path

import pytest

from heap_exporter.errors import (
    SnapshotBusy,
    SnapshotError,
    SnapshotNoDisk,
    SnapshotNoMemory,
    SnapshotNotFound,
    SourceMissing,
)
from heap_exporter.snapshot import take
from heap_exporter.snapshot.format import read
from heap_exporter.snapshot.store import ID, Store
from tests.web_source import GRAPH, HeldWalker


@pytest.fixture
def walker() -> HeldWalker:
    return HeldWalker()


def snapshots(walker: HeldWalker, folder: Path, headroom: int | None = None) -> take.Snapshots:
    return take.Snapshots(
        walker, Store(folder, 20), lambda: headroom, clock=lambda: 1.7e9, process_started_at=1.7e9 - 60
    )


def test_a_snapshot_tells_who_took_it_when_and_why(walker: HeldWalker, tmp_path: Path) -> None:
    all_snapshots = snapshots(walker, tmp_path)

    info = all_snapshots.take("before the deploy")

    header, graph = read(info.path)
    assert ID.fullmatch(info.id)
    assert info.id.startswith("20231114T221320Z-")
    assert (info.reason, info.taken_at, info.pause_seconds) == ("before the deploy", 1.7e9, 0.004)
    assert (header.uptime_seconds, graph) == (60.0, GRAPH)
    assert all_snapshots.last == info
    assert all_snapshots.outcomes == {"written": 1, "busy": 0, "failed": 0, "no_memory": 0, "no_disk": 0}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  two\n lines\x1b[31m ", "two lines [31m"),
        ("x" * 10_000, "x" * 200),
        ("\0", ""),
        ("naïve – 漢字", "naïve – 漢字"),
    ],
)
def test_a_reason_is_kept_short_and_printable(walker: HeldWalker, tmp_path: Path, given: str, kept: str) -> None:
    assert snapshots(walker, tmp_path).take(given).reason == kept


def test_a_second_snapshot_meanwhile_is_refused_and_the_first_is_written(walker: HeldWalker, tmp_path: Path) -> None:
    all_snapshots = snapshots(walker, tmp_path)
    walker.hold()
    first = threading.Thread(target=all_snapshots.take, args=("first",))
    first.start()
    assert walker.walking.wait(10)

    with pytest.raises(SnapshotBusy):
        all_snapshots.take("second")
    with pytest.raises(SnapshotBusy):
        all_snapshots.reserve("third")

    walker.go.set()
    first.join()
    assert [info.reason for info in all_snapshots.store.list()] == ["first"]
    assert all_snapshots.outcomes == {"written": 1, "busy": 2, "failed": 0, "no_memory": 0, "no_disk": 0}


def test_without_head_room_nothing_is_walked(walker: HeldWalker, tmp_path: Path) -> None:
    all_snapshots = snapshots(walker, tmp_path, headroom=1 << 20)

    with pytest.raises(SnapshotNoMemory, match="1 MiB are left under the memory limit"):
        all_snapshots.take("")

    assert not walker.walking.is_set()
    assert all_snapshots.outcomes["no_memory"] == 1


def test_the_memory_asked_for_grows_with_the_heap(walker: HeldWalker, tmp_path: Path) -> None:
    counts = iter((1_000_000, 10_000_000))
    all_snapshots = take.Snapshots(walker, Store(tmp_path, 5), lambda: 64 << 20, objects=lambda: next(counts))

    all_snapshots.take("")
    with pytest.raises(SnapshotNoMemory):
        all_snapshots.take("")


def test_without_disk_nothing_is_walked(walker: HeldWalker, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    all_snapshots = snapshots(walker, tmp_path / "file")

    with pytest.raises(SnapshotNoDisk):
        all_snapshots.take("")

    assert not walker.walking.is_set()
    assert all_snapshots.outcomes["no_disk"] == 1


def test_a_full_disk_is_noticed_before_the_walk(
    walker: HeldWalker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take, "FREE_DISK_BYTES", 1 << 60)

    with pytest.raises(SnapshotNoDisk, match="make room"):
        snapshots(walker, tmp_path).take("")
    assert not walker.walking.is_set()


def test_whatever_fails_is_a_snapshot_error_and_the_next_one_works(
    walker: HeldWalker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    all_snapshots = snapshots(walker, tmp_path)
    walker.failure = RuntimeError("the heap is on fire")

    with caplog.at_level(logging.ERROR), pytest.raises(SnapshotError, match="RuntimeError: the heap is on fire"):
        all_snapshots.take("")
    walker.failure = None
    all_snapshots.take("")

    assert all_snapshots.outcomes == {"written": 1, "busy": 0, "failed": 1, "no_memory": 0, "no_disk": 0}


def test_a_heap_that_cannot_be_walked_is_said_in_the_walkers_words(
    walker: HeldWalker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    walker.failure = SourceMissing("the heap is frozen")

    with pytest.raises(SnapshotError, match="the heap is frozen"):
        snapshots(walker, tmp_path).take("")
    assert "Traceback" not in caplog.text


def test_a_reserved_snapshot_is_taken_by_whoever_is_woken(walker: HeldWalker, tmp_path: Path) -> None:
    woken = threading.Event()
    all_snapshots = take.Snapshots(walker, Store(tmp_path, 5), lambda: None, wake=woken.set)

    reserved = all_snapshots.reserve("later")

    assert woken.is_set()
    assert not walker.walking.is_set()
    assert all_snapshots.state(reserved).state == "running"
    all_snapshots.take_pending()
    progress = all_snapshots.state(reserved)
    assert progress.state == "written"
    assert progress.info == all_snapshots.last


def test_taking_what_nobody_reserved_does_nothing(walker: HeldWalker, tmp_path: Path) -> None:
    snapshots(walker, tmp_path).take_pending()

    assert not walker.walking.is_set()


def test_a_reserved_snapshot_that_fails_says_so(walker: HeldWalker, tmp_path: Path) -> None:
    all_snapshots = snapshots(walker, tmp_path, headroom=0)

    reserved = all_snapshots.reserve("later")
    all_snapshots.take_pending()

    progress = all_snapshots.state(reserved)
    assert progress.state == "failed"
    assert "memory limit" in progress.problem
    all_snapshots.reserve("the next may be asked for")


def test_what_nobody_asked_for_is_not_found(walker: HeldWalker, tmp_path: Path) -> None:
    with pytest.raises(SnapshotNotFound):
        snapshots(walker, tmp_path).state("20231114T221320Z-1-0000")
