"""A file is replaced whole, or stays as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from heap_exporter.runtime.atomic_file import part_path, replace_when_complete, write_file
from heap_exporter.runtime.file_owner import foreign_owner


@pytest.mark.parametrize("sync", [False, True])
def test_a_file_is_replaced_by_a_private_one(tmp_path: Path, sync: bool) -> None:
    target = tmp_path / "budget.json"
    target.write_text("old")

    write_file(target, b"new", sync=sync)

    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_after_an_error_the_old_file_is_there_and_no_part(tmp_path: Path) -> None:
    target = tmp_path / "budget.json"
    target.write_text("old")

    def fail() -> None:
        with replace_when_complete(target, part_path(target)) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_part_that_a_killed_process_has_left_is_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "budget.json"
    part_path(target).write_text("much more than the new content")

    write_file(target, b"new")

    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_in_the_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "budget.json"
    (tmp_path / "other").write_text("other")
    part_path(target).symlink_to(tmp_path / "other")

    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        write_file(target, b"new")

    assert (tmp_path / "other").read_text() == "other"


@pytest.mark.parametrize("name", ["20261122T164412Z-4711.older.csv.gz", "20261122T164412Z-4711.csv"])
def test_the_part_of_a_file_is_hidden_and_has_its_stem(name: str) -> None:
    assert part_path(Path("/snapshots") / name) == Path("/snapshots/.20261122T164412Z-4711.part")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_owner_is_found_also_behind_a_link(tmp_path: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    assert foreign_owner(folder, link) is None

    os.chown(folder, 4711, -1)

    assert foreign_owner(link) == 4711
