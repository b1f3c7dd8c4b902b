"""A folder that other users can write to, or have put something into, harms nothing."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from heap_exporter.runtime.own_folder import UnsafePath, open_folder, open_folder_of_any_user, temporary_folder

STRANGER = 4711
NAME = f"heap-exporter-{os.geteuid()}"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return a folder in which every user can create files, and remove only their own."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def found(place: Path, *, create: bool = True) -> Path:
    with open_folder(place, create=create) as folder:
        assert os.path.samestat(os.fstat(folder.descriptor), folder.path.stat())
        return folder.path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def give_away(path: Path) -> None:
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_file(path: Path) -> None:
    path.touch()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_a_folder_of_this_user(path: Path) -> None:
    target = path.parent.parent / "target"
    target.mkdir()
    path.symlink_to(target)


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


by_a_stranger = pytest.mark.parametrize(
    "make", [a_folder, a_file, a_pipe, a_link_to_a_folder_of_this_user, a_link_to_nothing]
)


def test_a_folder_is_made_private_and_an_existing_one_keeps_its_mode(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "snapshots"
    assert found(place) == place
    assert mode(place) == 0o700

    place.chmod(0o750)
    assert found(place) == place
    assert mode(place) == 0o750


def test_nothing_is_made_where_nothing_is_to_be_written(shared: Path) -> None:
    for place in (shared, shared / "none"):
        with pytest.raises(FileNotFoundError):
            found(place, create=False)

    assert list(shared.iterdir()) == []


@pytest.mark.parametrize("bits", [0o777, 0o1777])
def test_in_a_folder_that_is_open_to_all_the_user_has_a_private_one(shared: Path, bits: int) -> None:
    shared.chmod(bits)

    assert found(shared) == found(shared, create=False) == shared / NAME
    assert mode(shared / NAME) == 0o700


def test_the_folder_of_the_user_is_used_as_it_is_when_it_is_named_itself(shared: Path) -> None:
    path = found(shared)
    path.chmod(0o777)  # as on a file system without modes

    assert found(path) == path


@as_root
@by_a_stranger
def test_where_another_user_has_taken_the_name_a_second_name_is_used_and_found_again(
    shared: Path, make: Callable[[Path], None]
) -> None:
    make(shared / NAME)
    give_away(shared / NAME)

    first = found(shared)

    assert first.name.startswith(f"{NAME}-")
    assert (mode(first), first.stat().st_uid) == (0o700, os.geteuid())
    assert found(shared) == found(shared, create=False) == first


@as_root
@by_a_stranger
def test_where_another_user_has_taken_the_place_in_a_shared_folder_another_is_used_and_logged_once(
    shared: Path, make: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    place = shared / "snapshots"
    make(place)
    give_away(place)

    with caplog.at_level(logging.WARNING):
        assert found(place) == found(place) == shared / NAME

    assert [record.getMessage() for record in caplog.records] == [
        f"{place} cannot be used: it belongs to user {STRANGER}; heap-exporter uses {shared / NAME} instead"
    ]
    assert not place.is_dir() or list(place.iterdir()) == []


@as_root
@by_a_stranger
def test_in_a_private_folder_a_file_or_folder_of_another_user_is_an_error(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    place = tmp_path / "folder" / "snapshots"
    place.parent.mkdir()
    make(place)
    give_away(place)

    with pytest.raises(UnsafePath, match=f"snapshots: it belongs to user {STRANGER}"):
        found(place)


@as_root
def test_the_owner_of_the_folder_behind_a_link_counts_too(tmp_path: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    assert found(link) == link

    give_away(folder)
    with pytest.raises(UnsafePath):
        found(link)


@as_root
def test_a_person_may_read_the_folder_of_any_user(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "notes").write_text("theirs")
    for path in (folder / "notes", folder):
        give_away(path)

    with open_folder_of_any_user(folder) as opened:
        assert opened.read("notes", 100) == b"theirs"


@as_root
@by_a_stranger
def test_what_another_user_has_put_into_a_folder_is_no_file_of_it(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "budget.json")
    give_away(tmp_path / "budget.json")

    with open_folder(tmp_path) as folder:
        for use in (
            lambda: folder.status("budget.json"),
            lambda: folder.read("budget.json", 100),
            lambda: folder.open_file("budget.json", os.O_WRONLY | os.O_CREAT),
        ):
            with pytest.raises(OSError, match=r"budget\.json"):
                use()


def test_a_file_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    target = tmp_path / "budget.json"
    for sync in (False, True):
        target.write_text("old")
        target.chmod(0o644)
        with open_folder(tmp_path) as folder:
            folder.write("budget.json", b"new", sync=sync)

        assert target.read_text() == "new"
        assert mode(target) == 0o600
        assert list(tmp_path.iterdir()) == [target]


def test_after_an_error_the_old_file_is_there_and_no_part_of_the_new_one(tmp_path: Path) -> None:
    target = tmp_path / "budget.json"
    target.write_text("old")

    def fail() -> None:
        with open_folder(tmp_path) as folder, folder.replacing("budget.json") as descriptor:
            os.write(descriptor, b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("make", ["file", "link"])
def test_a_part_that_is_there_already_is_replaced_and_not_written_to(tmp_path: Path, make: str) -> None:
    part, other = tmp_path / ".budget.part", tmp_path / "other"
    other.write_text("other")
    part.hardlink_to(other) if make == "file" else part.symlink_to(other)

    with open_folder(tmp_path) as folder:
        folder.write("budget.json", b"new")

    assert (tmp_path / "budget.json").read_text() == "new"
    assert other.read_text() == "other"
    assert not part.exists()


def test_the_descriptors_of_folders_and_files_are_closed(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with open_folder(tmp_path) as folder:
        folder.write("a", b"1")
        folder.read("a", 1)
        with pytest.raises(OSError, match="No such file"):
            folder.read("b", 1)
        with folder.subfolder("c", create=True) as inner:
            inner.names()

    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("variables", [{}, {"TMPDIR": "ours"}, {"TMPDIR": "missing", "TEMP": "ours"}, {"TMP": "ours"}])
def test_the_temporary_folder_is_that_of_tempfile(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ours").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", None)

    assert str(temporary_folder()) == tempfile.gettempdir()
