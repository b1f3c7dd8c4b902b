"""Which snapshots and other files are removed from the folder, and which stay."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from heap_exporter.errors import SnapshotNoDisk
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.snapshot.file_names import LOCKS, page_name, report_name
from heap_exporter.snapshot.retention import STALE_PART_SECONDS, RetentionPins, excess_snapshots
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from tests.doubles.web_source import PausedWalker
from tests.unit.snapshot.test_store import files, snapshot_id, write

A_DAY = 86400.0


def kept(store: Store) -> list[str]:
    return [info.id for info in store.list()]


def test_the_oldest_are_removed_when_the_bytes_exceed_the_quota(tmp_path: Path) -> None:
    one = Store(tmp_path / "one", keep=20)
    size = one.get(write(one)).bytes
    store = Store(tmp_path / "all", keep=20, max_bytes=3 * size + size // 2)

    for number in range(6):
        write(store, number)

    assert kept(store) == [snapshot_id(number) for number in (5, 4, 3)]


def test_reports_count_toward_the_quota_and_are_removed_with_their_snapshots(tmp_path: Path) -> None:
    one = Store(tmp_path / "one", keep=20)
    size = one.get(write(one)).bytes
    store = Store(tmp_path / "all", keep=20, max_bytes=4 * size)
    for number in range(3):
        written = write(store, number)
        for name in (report_name(written), page_name(written)):
            (store.directory / name).write_bytes(b"x" * (size // 2))
    write(store, 3)

    assert kept(store) == [snapshot_id(3), snapshot_id(2)]
    assert len(files(store.directory)) == 4


def test_a_snapshot_that_alone_exceeds_the_quota_is_refused_and_no_other_is_removed(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=2, max_bytes=10_000)
    before = [write(store, number) for number in range(2)]

    with pytest.raises(SnapshotNoDisk, match="HEAP_EXPORTER_SNAPSHOT_MAX_SIZE allows only 10,000"):
        store.write(snapshot_id(5), lambda file: BlockWriter(file).write(b"x" * 20_000))

    assert sorted(kept(store)) == before
    assert len(files(tmp_path)) == 2


def test_pinned_snapshots_stay_longer_than_newer_ones_without_a_pin(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=4)
    held = [write(store, number) for number in range(2)]
    for one in held:
        store.pins.pin(one, "alert", A_DAY)

    for number in range(2, 9):
        write(Store(tmp_path, keep=4), number)

    assert kept(store) == [snapshot_id(8), snapshot_id(7), *reversed(held)]
    store.pins.unpin(held[0], "alert")
    write(store, 9)
    assert held[0] not in kept(store)
    assert files(tmp_path).count(f"{held[1]}.alert.kept") == 1


def test_old_pins_do_not_displace_all_new_snapshots() -> None:
    sizes = {str(number): 10 for number in range(10)}

    assert excess_snapshots(sizes, sizes.keys(), keep=4, max_bytes=1000, newest="0") == ["9", "8", "7", "6", "5", "4"]
    assert excess_snapshots(sizes, {"7", "8", "9"}, keep=9, max_bytes=40, newest="0") == ["9", "6", "5", "4", "3", "2"]
    assert excess_snapshots(sizes, {"9"}, keep=1, max_bytes=1000, newest="0") == [
        str(number) for number in range(9, 0, -1)
    ]
    assert excess_snapshots({"0": 10**9}, {}, keep=1, max_bytes=10, newest="0") == []


def test_a_pin_ends_by_itself_and_each_purpose_has_its_own(tmp_path: Path) -> None:
    pins = RetentionPins(tmp_path)
    pins.pin("a", "alert", A_DAY)
    pins.pin("a", "upload", A_DAY)
    pins.pin("b", "comparison", -1)

    assert pins.pinned() == {"a"}
    pins.unpin("a", "alert")
    pins.unpin("a", "alert")
    assert pins.pinned() == {"a"}
    pins.unpin("a", "upload")
    assert pins.pinned() == set()


def test_a_pin_that_cannot_be_written_is_logged_and_raises_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    RetentionPins(tmp_path / "nowhere").pin("a", "alert", A_DAY)

    assert "snapshot a could not be pinned (alert) and may be deleted early" in caplog.text


def test_files_of_killed_processes_are_removed_and_other_files_stay(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=5)
    alive = write(store, 1)
    removed = snapshot_id(2)
    leftovers = [
        f".{removed}.part",
        f"{removed}.report.json",
        f"{removed}.report.html",
        f"{removed}.alert.kept",
        *LOCKS,
    ]
    stays = [
        f"{alive}.report.json",
        f"{alive}.report.html",
        f"{alive}.alert.kept",
        "budget.json",
        "uploads.json",
        ".mine.part",
        "mine.lock",
    ]
    stays.append(f".{alive}.part")
    for name in (*leftovers, *stays):
        (tmp_path / name).write_text("{}")
    for name in (".budget.part", ".uploads.part"):
        old = tmp_path / name
        old.write_text("half")
        os.utime(old, (0, time.time() - STALE_PART_SECONDS - 1))

    Snapshots(PausedWalker(), store, lambda: None).clean_up()

    assert files(tmp_path) == sorted([f"{alive}.heap", *stays])


def test_a_clean_up_creates_no_folder(tmp_path: Path) -> None:
    Snapshots(PausedWalker(), Store(tmp_path / "none", 5), lambda: None).clean_up()

    assert files(tmp_path) == []


def test_with_a_quota_too_small_for_the_graph_a_census_is_written_with_the_reason(tmp_path: Path) -> None:
    info = Snapshots(PausedWalker(), Store(tmp_path, 5, max_bytes=1 << 20), lambda: None).take("")

    assert info.content == "census"
    assert "HEAP_EXPORTER_SNAPSHOT_MAX_SIZE allows only 1 MiB" in info.note
