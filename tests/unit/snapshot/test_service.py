import dataclasses
import functools
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heap_exporter.errors import (
    SnapshotBusy,
    SnapshotError,
    SnapshotNoDisk,
    SnapshotNoMemory,
    SnapshotNotFound,
    SourceMissing,
    WalkFailed,
)
from heap_exporter.heapfile.format import read_header
from heap_exporter.heapfile.reader import SnapshotReader
from heap_exporter.heapfile.records import CountRecord, NodeRecord
from heap_exporter.model import TypeCount
from heap_exporter.snapshot import preflight, service
from heap_exporter.snapshot.file_names import ID
from heap_exporter.snapshot.snapshot_requests import OUTCOMES
from heap_exporter.snapshot.store import MIN_FREE_BYTES, Store
from tests.doubles.web_source import CENSUS, PLACE, PausedWalker

NOTHING_YET = dict.fromkeys(OUTCOMES, 0)


@pytest.fixture
def walker() -> PausedWalker:
    return PausedWalker()


@contextmanager
def named_thread(name: str) -> Iterator[threading.Thread]:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name=name)
    thread.start()
    try:
        yield thread
    finally:
        done.set()
        thread.join()


def snapshots(
    walker: PausedWalker, folder: Path, headroom: int | None = None, min_free_bytes: int = MIN_FREE_BYTES
) -> service.Snapshots:
    return service.Snapshots(
        walker,
        Store(folder, 20, min_free_bytes=min_free_bytes),
        lambda: headroom,
        clock=lambda: 1.7e9,
        process_started_at=1.7e9 - 60,
        keys=True,
    )


def test_a_snapshot_records_its_process_time_and_reason(walker: PausedWalker, tmp_path: Path) -> None:
    all_snapshots = snapshots(walker, tmp_path)

    info = all_snapshots.take("before the deploy")

    with SnapshotReader(info.path) as reader:
        nodes = [record for record in reader.records() if isinstance(record, NodeRecord)]
        header, footer = reader.header, reader.footer
    assert ID.fullmatch(info.id)
    assert info.id.startswith("20231114T221320Z-")
    assert (info.reason, info.taken_at, info.pause_seconds) == ("before the deploy", 1.7e9, 0.004)
    assert (info.content, info.objects, info.note) == ("graph", 1, "")
    assert [(node.place, list(node.edges)) for node in nodes] == [(PLACE, [PLACE])]
    assert (header.uptime_seconds, header.keys, footer.references) == (60.0, True, 1)
    assert all_snapshots.last == info
    assert all_snapshots.outcomes == {**NOTHING_YET, "written": 1}


def test_snapshots_of_the_same_second_have_different_ids(walker: PausedWalker, tmp_path: Path) -> None:
    ids = set()
    for one in [snapshots(walker, tmp_path) for _ in range(2)] * 500:
        ids.add(one.reserve(""))
        one.give_up()

    assert len(ids) == 1000


def test_a_snapshot_has_the_names_of_the_threads(walker: PausedWalker, tmp_path: Path) -> None:
    with named_thread("worker-7") as thread:
        info = snapshots(walker, tmp_path).take("")

    threads = read_header(info.path).threads
    assert threads[threading.main_thread().ident or 0] == "MainThread"
    assert threads[thread.ident or 0] == "worker-7"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  two\n lines\x1b[31m ", "two lines [31m"),
        ("x" * 10_000, "x" * 200),
        ("\0", ""),
        ("naïve – 漢字", "naïve – 漢字"),
    ],
)
def test_a_reason_is_made_short_and_printable(walker: PausedWalker, tmp_path: Path, given: str, kept: str) -> None:
    assert snapshots(walker, tmp_path).take(given).reason == kept


def test_a_second_snapshot_is_refused_while_the_first_is_written(walker: PausedWalker, tmp_path: Path) -> None:
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
    assert all_snapshots.outcomes == {**NOTHING_YET, "written": 1, "busy": 2}


def test_two_threads_compare_each_snapshot_with_an_older_one(
    tmp_path: Path, walker: PausedWalker, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    compared: list[tuple[str, str]] = []
    all_snapshots = snapshots(walker, tmp_path)
    monkeypatch.setattr(
        all_snapshots.comparisons, "begin", lambda before, after, **_: compared.append((before.reason, after.reason))
    )
    end = all_snapshots._turns.end

    def end_and_let_the_other_thread_begin() -> None:
        end()
        if not taken:
            taken.append("second")
            all_snapshots.take("second")

    monkeypatch.setattr(all_snapshots._turns, "end", end_and_let_the_other_thread_begin)
    all_snapshots.take("first")

    assert compared == [("first", "second")]
    assert all_snapshots.last is not None
    assert all_snapshots.last.reason == "second"


def test_without_free_memory_nothing_is_walked(walker: PausedWalker, tmp_path: Path) -> None:
    all_snapshots = snapshots(walker, tmp_path, headroom=1 << 20)

    with pytest.raises(SnapshotNoMemory, match="1 MiB is available"):
        all_snapshots.take("")

    assert not walker.walking.is_set()
    assert all_snapshots.outcomes["no_memory"] == 1


def test_with_too_little_memory_for_the_graph_a_census_is_written_with_the_reason(
    walker: PausedWalker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heap = preflight.estimate_heap_size(None)
    graph, census = preflight.graph_need(heap, "portable"), preflight.census_need(heap, "portable")
    all_snapshots = snapshots(walker, tmp_path, headroom=(graph.memory_bytes + census.memory_bytes) // 2)

    with caplog.at_level(logging.WARNING):
        info = all_snapshots.take("")

    with SnapshotReader(info.path) as reader:
        rows = [record for record in reader.records() if isinstance(record, CountRecord)]
    assert [(row.type.name, row.objects, row.size_bytes) for row in rows] == [
        (count.type_name, count.objects, count.bytes) for count in CENSUS.types
    ]
    assert (info.content, info.objects) == ("census", CENSUS.objects)
    assert info.note.startswith(
        "the snapshot contains only a census (counts of all objects by type), not the object graph: a snapshot may need"
    )
    assert info.note in caplog.text
    assert all_snapshots.outcomes == {**NOTHING_YET, "census_only": 1}
    assert all_snapshots.store.get(info.id) == info


def test_the_size_is_predicted_from_the_last_census(walker: PausedWalker, tmp_path: Path) -> None:
    census = dataclasses.replace(CENSUS, walker="native", types=(TypeCount("x", 100_000_000, 1),))
    all_snapshots = service.Snapshots(walker, Store(tmp_path, 5), lambda: None, last_census=lambda: census)

    info = all_snapshots.take("")

    assert info.predicted_bytes == preflight.graph_need(preflight.estimate_heap_size(census), "portable").file_bytes
    assert info.predicted_bytes == 5 * 100_000_000 + 3 * 90_000


@pytest.mark.parametrize(
    ("cause", "kind", "outcome"),
    [
        ("killed", SnapshotError, "failed"),
        ("hung", SnapshotError, "failed"),
        ("no_memory", SnapshotNoMemory, "no_memory"),
        ("no_disk", SnapshotNoDisk, "no_disk"),
    ],
)
def test_a_failed_walk_is_reported_by_its_cause_and_leaves_no_file(
    walker: PausedWalker, tmp_path: Path, cause: str, kind: type[SnapshotError], outcome: str
) -> None:
    all_snapshots = snapshots(walker, tmp_path)
    walker.failure = WalkFailed(cause, "it was so")

    with pytest.raises(kind, match=rf"the heap walk failed \({cause}\): it was so"):
        all_snapshots.take("")

    assert all_snapshots.outcomes == {**NOTHING_YET, outcome: 1}
    assert list(tmp_path.iterdir()) == []


def test_a_memory_error_during_the_walk_is_reported_as_no_memory(walker: PausedWalker, tmp_path: Path) -> None:
    walker.failure = MemoryError()

    with pytest.raises(SnapshotNoMemory, match="ran out of memory"):
        snapshots(walker, tmp_path).take("")


def test_without_a_usable_folder_nothing_is_walked(walker: PausedWalker, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    all_snapshots = snapshots(walker, tmp_path / "file")

    with pytest.raises(SnapshotNoDisk):
        all_snapshots.take("")

    assert not walker.walking.is_set()
    assert all_snapshots.outcomes["no_disk"] == 1


def test_a_full_disk_is_detected_before_the_walk(walker: PausedWalker, tmp_path: Path) -> None:
    with pytest.raises(SnapshotNoDisk, match="free disk space"):
        snapshots(walker, tmp_path, min_free_bytes=1 << 60).take("")
    assert not walker.walking.is_set()


def test_any_failure_is_a_snapshot_error_and_the_next_snapshot_works(
    walker: PausedWalker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    all_snapshots = snapshots(walker, tmp_path)
    walker.failure = RuntimeError("the heap is on fire")

    with caplog.at_level(logging.ERROR), pytest.raises(SnapshotError, match="RuntimeError: the heap is on fire"):
        all_snapshots.take("")
    walker.failure = None
    all_snapshots.take("")

    assert all_snapshots.outcomes == {**NOTHING_YET, "written": 1, "failed": 1}


def test_a_heap_that_cannot_be_walked_is_reported_with_the_walkers_message(
    walker: PausedWalker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    walker.failure = SourceMissing("the heap is frozen")

    with pytest.raises(SnapshotError, match="the heap is frozen"):
        snapshots(walker, tmp_path).take("")
    assert "Traceback" not in caplog.text


def test_a_reserved_snapshot_is_taken_by_the_thread_that_is_woken(walker: PausedWalker, tmp_path: Path) -> None:
    woken = threading.Event()
    all_snapshots = service.Snapshots(walker, Store(tmp_path, 5), lambda: None, wake=woken.set)

    reserved = all_snapshots.reserve("later")

    assert woken.is_set()
    assert not walker.walking.is_set()
    assert all_snapshots.state(reserved).state == "running"
    all_snapshots.take_pending()
    progress = all_snapshots.state(reserved)
    assert progress.state == "written"
    assert progress.info == all_snapshots.last


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_snapshot_that_a_cleaner_removes_at_once_is_a_clear_error(
    by_hand: bool, walker: PausedWalker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_snapshots = snapshots(walker, tmp_path)
    monkeypatch.setattr(Store, "retain", lambda store, newest: (store.directory / f"{newest}.heap").unlink())
    message = f"another program removed the snapshot from the folder {tmp_path} as soon as it was written"

    if by_hand:
        with pytest.raises(SnapshotError, match=message):
            all_snapshots.take("now")
    else:
        reserved = all_snapshots.reserve("later")
        all_snapshots.take_pending()
        assert message in all_snapshots.state(reserved).problem
    assert all_snapshots.outcomes == NOTHING_YET | {"failed": 1}
    monkeypatch.undo()
    assert all_snapshots.take("again") == all_snapshots.last


def test_every_failure_of_a_snapshot_has_a_counter() -> None:
    def below(cls: type[SnapshotError]) -> set[type[SnapshotError]]:
        return {cls}.union(*map(below, cls.__subclasses__()))

    assert {cls.outcome for cls in below(SnapshotError)} <= set(OUTCOMES)


def test_a_snapshot_has_an_id_whatever_the_clock_shows(walker: PausedWalker, tmp_path: Path) -> None:
    for now, stamp in ((3e11, "99991231T235959Z-"), (1e19, "99991231T235959Z-"), (-1e19, "19700101T000000Z-")):
        all_snapshots = service.Snapshots(
            walker, Store(tmp_path, 20), lambda: None, clock=functools.partial(float, now)
        )

        assert all_snapshots.take("now").id.startswith(stamp)


def test_without_a_reserved_snapshot_nothing_is_taken(walker: PausedWalker, tmp_path: Path) -> None:
    snapshots(walker, tmp_path).take_pending()

    assert not walker.walking.is_set()


def test_the_failure_of_a_reserved_snapshot_is_its_state(walker: PausedWalker, tmp_path: Path) -> None:
    all_snapshots = snapshots(walker, tmp_path, headroom=0)

    reserved = all_snapshots.reserve("later")
    all_snapshots.take_pending()

    progress = all_snapshots.state(reserved)
    assert progress.state == "failed"
    assert "0 MiB is available" in progress.problem
    all_snapshots.reserve("the next one")


def test_an_unknown_id_is_not_found(walker: PausedWalker, tmp_path: Path) -> None:
    with pytest.raises(SnapshotNotFound):
        snapshots(walker, tmp_path).state("20231114T221320Z-1-0000")
