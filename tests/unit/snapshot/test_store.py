import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from heap_exporter.errors import SnapshotNoDisk, SnapshotNotFound, WalkFailed
from heap_exporter.heapfile.encoder import write_census
from heap_exporter.heapfile.format import SUFFIX, BlockWriter
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.heapfile.reader import SnapshotReader
from heap_exporter.snapshot.retention import STALE_PART_SECONDS
from heap_exporter.snapshot.store import Store
from tests.doubles.web_source import CENSUS

as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")


def snapshot_id(number: int) -> str:
    return f"20261122T0700{number:02}Z-4711-00{number:02x}"


def write(store: Store, number: int = 0, taken_at: float | None = None) -> str:
    new = snapshot_id(number)
    at = float(number) if taken_at is None else taken_at
    header = Header(
        content="census", id=new, taken_at=at, reason="test", walker="portable", pid=4711, uptime_seconds=1.0,
        python_version="3.13.0", implementation="cpython", predicted_bytes=1000, note="too little memory",
    )  # fmt: skip  # one header of many
    footer = Footer(objects=57210, references=0, duration_seconds=0.5, pause_seconds=0.004, cpu_seconds=0.1)

    def fill(file: int) -> None:
        out = BlockWriter(file)
        out.header(header)
        write_census(out, CENSUS)
        out.footer(footer)

    store.write(new, fill)
    return new


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def without_unnamed_files(store: Store) -> None:
    store._write_unnamed = lambda *_: False  # type: ignore[method-assign]  # as on a file system without O_TMPFILE


def with_unnamed_files(store: Store) -> None:
    pass


both_ways = pytest.mark.parametrize("way", [with_unnamed_files, without_unnamed_files])


def test_nothing_is_created_before_the_first_write(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "snapshots", keep=3)

    assert list(store.list()) == []
    assert files(tmp_path) == []


@both_ways
def test_folder_and_files_are_private(tmp_path: Path, way: Callable[[Store], None]) -> None:
    store = Store(tmp_path / "deep" / "snapshots", keep=3)
    way(store)

    new = write(store)

    assert store.directory.stat().st_mode & 0o777 == 0o700
    assert store.get(new).path.stat().st_mode & 0o777 == 0o600


def test_a_folder_of_the_user_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    write(Store(tmp_path, keep=3))

    assert tmp_path.stat().st_mode & 0o777 == 0o755


@both_ways
def test_a_written_snapshot_can_be_read(tmp_path: Path, way: Callable[[Store], None]) -> None:
    store = Store(tmp_path, keep=3)
    way(store)

    info = store.get(write(store, 7))

    assert (info.taken_at, info.reason, info.walker, info.duration_seconds) == (7.0, "test", "portable", 0.5)
    assert (info.content, info.objects, info.pause_seconds) == ("census", 57210, 0.004)
    assert (info.predicted_bytes, info.note) == (1000, "too little memory")
    assert info.bytes == info.path.stat().st_size
    with SnapshotReader(info.path) as reader:
        assert len(list(reader.records())) == 2 * len(CENSUS.types)


def test_the_newest_are_listed_first_and_the_oldest_are_removed(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=3)

    for number in range(5):
        write(store, number)

    assert [info.id for info in store.list()] == [snapshot_id(number) for number in (4, 3, 2)]
    assert len(files(tmp_path)) == 3


def test_a_clock_that_is_set_back_does_not_remove_the_newest(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=1)
    write(store, 1, taken_at=2e9)

    new = write(store, 2, taken_at=1e9)

    assert [info.id for info in store.list()] == [new]


def test_other_files_are_ignored_and_not_removed(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=1)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / f"{snapshot_id(8)}{SUFFIX}").write_bytes(os.urandom(1000))
    (tmp_path / f"{snapshot_id(9)}{SUFFIX}").mkdir()

    new = write(store, 1)
    write(store, 2)

    assert [info.id for info in store.list()] == [snapshot_id(2)]
    assert f"{new}{SUFFIX}" not in files(tmp_path)
    assert len(files(tmp_path)) == 4


@pytest.mark.parametrize(
    "bad",
    ["../../etc/passwd", "..", "", "/etc/passwd", f"{snapshot_id(1)}/..", f"{snapshot_id(1)}\n", f"{snapshot_id(1)}\0"],
)
def test_an_id_cannot_escape_the_folder(tmp_path: Path, bad: str) -> None:
    with pytest.raises(SnapshotNotFound):
        Store(tmp_path, keep=1).get(bad)


def test_a_link_under_the_name_of_a_snapshot_is_not_followed(tmp_path: Path) -> None:
    store = Store(tmp_path / "folder", keep=5)
    real = store.get(write(store, 1)).path
    elsewhere = real.rename(tmp_path / real.name)
    real.symlink_to(elsewhere)

    with pytest.raises(SnapshotNotFound):
        store.get(snapshot_id(1))


@as_root
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.chown(folder, 65534, 65534)

    with pytest.raises(SnapshotNoDisk, match="it belongs to user 65534; fix this, or set HEAP_EXPORTER_SNAPSHOT_DIR"):
        write(Store(folder, keep=3))
    assert files(folder) == []


@as_root
def test_a_link_of_another_user_is_refused(tmp_path: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    os.lchown(link, 65534, 65534)

    with pytest.raises(SnapshotNoDisk, match="belongs to user 65534"):
        write(Store(link, keep=3))
    assert files(folder) == []


def test_a_folder_that_cannot_be_created_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SnapshotNoDisk, match="Not a directory"):
        write(Store(tmp_path / "file" / "snapshots", keep=3))


def test_a_file_in_the_place_of_the_folder_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SnapshotNoDisk, match="Not a directory"):
        write(Store(tmp_path / "file", keep=3))
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_free_space_is_known_before_anything_is_written(tmp_path: Path) -> None:
    assert Store(tmp_path / "new", keep=3).prepare() > 0
    assert files(tmp_path / "new") == []


@both_ways
@pytest.mark.parametrize("failure", [ZeroDivisionError(), MemoryError(), KeyboardInterrupt(), WalkFailed("killed", "")])
def test_a_walk_that_fails_midway_leaves_no_file(
    tmp_path: Path, way: Callable[[Store], None], failure: BaseException
) -> None:
    def fill(file: int) -> None:
        os.write(file, b"half")
        raise failure

    store = Store(tmp_path, keep=3)
    way(store)

    with pytest.raises(type(failure)):
        store.write(snapshot_id(1), fill)
    assert files(tmp_path) == []


@both_ways
def test_a_file_whose_name_cannot_be_synced_is_removed(
    tmp_path: Path, way: Callable[[Store], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = Store(tmp_path, keep=3)
    way(store)
    monkeypatch.setattr(os, "fsync", fsync)

    with pytest.raises(SnapshotNoDisk, match="Input/output error"):
        write(store)
    assert files(tmp_path) == []


def test_only_old_part_files_are_removed(tmp_path: Path) -> None:
    old, new, foreign = (
        tmp_path / name for name in (f".{snapshot_id(1)}.part", f".{snapshot_id(2)}.part", ".mine.part")
    )
    for path in (old, new, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign):
        os.utime(path, (0, path.stat().st_mtime - STALE_PART_SECONDS - 1))
    store = Store(tmp_path, keep=3)
    without_unnamed_files(store)

    written = write(store, 3)

    assert files(tmp_path) == sorted([new.name, foreign.name, f"{written}{SUFFIX}"])


def test_a_snapshot_that_is_removed_meanwhile_is_not_listed(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=9)
    for number in range(3):
        write(store, number)
    ids = [snapshot_id(number) for number in (0, 1, 2, 8)]
    store._ids = lambda folder: ids  # type: ignore[method-assign]  # as listed just before it was removed
    with suppress(OSError):
        store.get(snapshot_id(0)).path.unlink()

    assert [info.id for info in store.list()] == [snapshot_id(2), snapshot_id(1)]
