"""Which snapshots are in a folder, and which two of them are compared if the user names none."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.model import SnapshotInfo
from heap_exporter.runtime.own_folder import open_folder_of_any_user
from heap_exporter.snapshot.folder_listing import FolderListing, list_folder, newest_pair
from tests.heaps.files import HEADER, small_graph, write_file

PID, OTHER_PID = 4711, 4712


def info(id: str, taken_at: float, **members: Any) -> SnapshotInfo:
    """Return a snapshot of a process that started at time 100, unless ``members`` differ."""
    made = SnapshotInfo(id, Path(f"{id}.heap"), 1, taken_at, 0.1, 0.1, "", "native", "graph", 1)
    defaults: dict[str, Any] = {"pid": PID, "service": "shop", "uptime_seconds": taken_at - 100.0}
    return dataclasses.replace(made, **{**defaults, **members})


def chosen(*snapshots: SnapshotInfo) -> tuple[str, str] | None:
    """Return the ids of the pair of some snapshots, which are named oldest first."""
    pair = newest_pair(snapshots[::-1])
    return pair and (pair[0].id, pair[1].id)


def listed(folder: Path) -> FolderListing:
    with open_folder_of_any_user(folder) as opened:
        return list_folder(opened)


def test_the_two_newest_of_a_process_are_the_pair() -> None:
    assert chosen(info("a", 200), info("b", 300), info("c", 400)) == ("b", "c")


def test_a_newer_snapshot_of_a_process_with_only_one_is_passed_over() -> None:
    assert chosen(info("a", 200), info("b", 300), info("c", 400, pid=OTHER_PID)) == ("a", "b")


def test_snapshots_of_two_processes_that_alternate_are_not_mixed() -> None:
    others = [info("c", 250, pid=OTHER_PID), info("d", 350, pid=OTHER_PID)]

    assert chosen(info("a", 200), others[0], info("b", 300), others[1]) == ("c", "d")


@pytest.mark.parametrize(
    ("reason", "other"),
    [
        ("another process", {"pid": OTHER_PID}),
        ("another service in a container with the same pid", {"service": "billing"}),
        ("a restarted process with the same pid", {"uptime_seconds": 5.0}),
        ("a census", {"content": "census"}),
    ],
)
def test_what_cannot_be_compared_is_no_pair(reason: str, other: dict[str, Any]) -> None:
    assert chosen(info("a", 200), info("b", 300, **other)) is None, reason


def test_the_pid_decides_where_the_age_of_the_process_is_unknown() -> None:
    assert chosen(info("a", 200, uptime_seconds=None), info("b", 300)) == ("a", "b")


def test_a_clock_that_was_set_between_the_snapshots_changes_no_process() -> None:
    assert chosen(info("a", 200), info("b", 300_000.25)) == ("a", "b")


def test_one_snapshot_or_none_is_no_pair() -> None:
    assert chosen() is None
    assert chosen(info("a", 200)) is None


def test_a_listing_is_newest_first_and_has_a_problem_for_each_file_that_cannot_be_read(tmp_path: Path) -> None:
    write_file(tmp_path / "old.heap", small_graph, dataclasses.replace(HEADER, taken_at=100.0, service="shop"))
    newest = write_file(tmp_path / "new copy.heap", small_graph, dataclasses.replace(HEADER, taken_at=200.0))
    (tmp_path / "cut.heap").write_bytes(newest.read_bytes()[:100])
    os.mkfifo(tmp_path / "pipe.heap")
    (tmp_path / "notes.txt").touch()

    snapshots, problems = listed(tmp_path)

    assert [(each.id, each.pid, each.service) for each in snapshots] == [("new copy", PID, ""), ("old", PID, "shop")]
    assert [(each.path.name, each.problem) for each in problems] == [
        ("cut.heap", "it is truncated"),
        ("pipe.heap", "it is not a regular file"),
    ]
