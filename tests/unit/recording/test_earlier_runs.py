"""The recordings of the processes that ran before this one are read when it starts, within bounds."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from heap_exporter.model import Point
from heap_exporter.recording import earlier_runs
from heap_exporter.recording.csv_format import HEADER, csv_row
from heap_exporter.recording.earlier_runs import MAX_RUNS, read_earlier_runs
from heap_exporter.recording.folder import FOLDER, NOTES_SUFFIX
from heap_exporter.recording.notes import new_notes
from heap_exporter.runtime.service_name import service_name

MIB = 1 << 20


def record(
    snapshots: Path, pid: int, times: Sequence[float], tail: str = "", service: str | None = service_name()
) -> None:
    """Write the recording of a process that ended, without notes if it belongs to no service; later pids end later."""
    folder = snapshots / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"20260101T000000Z-{pid}.csv"
    path.write_text(HEADER + "".join(csv_row(Point(at, 100 * MIB)) for at in times) + tail)
    if service is not None:
        path.with_suffix(NOTES_SUFFIX).write_text(json.dumps({**new_notes(None), "service": service}))
    os.utime(path, (pid, pid))


def starts(snapshots: Path) -> list[float]:
    return [run[0].t_seconds for run in read_earlier_runs(snapshots)]


def test_without_recordings_there_are_no_earlier_runs(tmp_path: Path) -> None:
    assert read_earlier_runs(tmp_path) == ()


def test_the_newest_runs_are_read_oldest_first(tmp_path: Path) -> None:
    for number in range(MAX_RUNS + 2):
        record(tmp_path, 100 + number, [1000.0 * number, 1000.0 * number + 500])

    assert starts(tmp_path) == [1000.0 * number for number in range(2, MAX_RUNS + 2)]


def test_a_run_at_the_same_time_as_a_later_one_is_left_out(tmp_path: Path) -> None:
    record(tmp_path, 100, [0.0, 400.0])
    record(tmp_path, 101, [300.0, 900.0])
    record(tmp_path, 102, [500.0, 1000.0])

    assert starts(tmp_path) == [0.0, 500.0]


def test_the_runs_of_other_services_and_those_that_stopped_cleanly_are_left_out(tmp_path: Path) -> None:
    record(tmp_path, 100, [0.0, 1.0])
    record(tmp_path, 101, [10.0, 11.0], service="another")
    record(tmp_path, 102, [20.0, 21.0], service=None)

    assert starts(tmp_path) == [0.0]


def test_damaged_lines_and_files_are_left_out(tmp_path: Path) -> None:
    record(tmp_path, 100, [0.0, 1.0], tail="what,is,this\n9.0,12")
    record(tmp_path, 101, [])
    record(tmp_path, 102, [])
    (tmp_path / FOLDER / "20260101T000000Z-102.csv").write_bytes(b"\0\xff\n\n")

    assert [len(run) for run in read_earlier_runs(tmp_path)] == [2]


def test_what_is_read_of_all_recordings_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier_runs, "MAX_BYTES", len(HEADER) + 200)
    record(tmp_path, 100, [0.0])
    record(tmp_path, 101, [float(at) for at in range(10, 1000)])
    record(tmp_path, 102, [2000.0])

    assert starts(tmp_path) == [2000.0]


def test_a_run_whose_beginning_was_compressed_is_left_out(tmp_path: Path) -> None:
    record(tmp_path, 100, [0.0, 1.0])
    (tmp_path / FOLDER / "20260101T000000Z-100.older.csv.gz").write_bytes(b"")

    assert starts(tmp_path) == []
