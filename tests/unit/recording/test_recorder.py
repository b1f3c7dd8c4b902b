"""The recorder writes what the process is judged by, in a small and private folder, and never raises."""

from __future__ import annotations

import gc
import logging
import os
import random
import shutil
import stat
from pathlib import Path

import pytest

from heap_exporter.detection.detector import Detector
from heap_exporter.model import (
    Cause,
    Census,
    DetectorThresholds,
    Finding,
    FindingKind,
    MemoryLimits,
    Point,
    Reason,
    ReasonKind,
    State,
    TypeCount,
    Verdict,
)
from heap_exporter.recording import notes
from heap_exporter.recording.folder import KEPT_CRASHES
from heap_exporter.recording.recorder import Recorder
from heap_exporter.recording.series_reader import read_series
from tests.examples.readings import GREW
from tests.examples.recordings import notes_of

THRESHOLDS = DetectorThresholds(window_seconds=900, growth_percent=2, min_slope_bytes_per_hour=8 << 20)


def point(number: int) -> Point:
    return Point(t_seconds=1.7e9 + 15 * number, rss_bytes=10**8 + number)


def files(folder: Path, suffix: str) -> set[Path]:
    return set((folder / "series").glob(f"*{suffix}"))


def recorded(recorder: Recorder) -> list[Point]:
    assert recorder.path is not None
    return list(read_series(recorder.path))


def leaking_points() -> list[Point]:
    """Return three hours of a process that begins to leak: census and allocators in every fourth point, one finding."""
    noise = random.Random(5)
    points = []
    for number in range(720):
        leaked = max(number - 200, 0) * 300_000
        size = 200_000_000 + leaked + noise.randrange(500_000)
        slow = number % 4 == 0
        points.append(
            Point(
                t_seconds=1.7e9 + 15 * number + noise.random() / 100,
                rss_bytes=size + 20_000_000,
                restart=number == 0,
                anonymous_bytes=size,
                swap_bytes=0,
                allocated_blocks=10**6 + leaked // 60,
                heap_bytes=150_000_000 + leaked if slow else None,
                n_objects=10**6 + leaked // 80 if slow else None,
                pymalloc_used_bytes=150_000_000 + leaked if slow else None,
                pymalloc_retained_bytes=10_000_000 if slow else None,
                gc_enabled=1,
                finding=Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS) if number == 500 else None,
            )
        )
    return points


def test_a_replay_of_a_recording_gives_the_same_verdicts(tmp_path: Path) -> None:
    original, replayed = Detector(THRESHOLDS), Detector(THRESHOLDS)
    recorder = Recorder(tmp_path, None)
    verdicts = []
    for each in leaking_points():
        verdicts.append(original.observe(each))
        recorder.record(each)

    again = [replayed.observe(each) for each in recorded(recorder)]

    assert again == verdicts
    assert len({verdict.state for verdict in verdicts}) >= 3


def test_folder_and_files_are_private(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "snapshots", None)
    recorder.record(point(0))

    assert recorder.path is not None
    assert recorder.path.name.endswith(f"-{os.getpid()}.csv")
    for path in recorder.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (recorder.path.parent, recorder.path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_long_series_has_two_files_that_are_one_series_together(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, None, max_bytes=20_000)
    points = [point(number) for number in range(1500)]
    for each in points:
        recorder.record(each)

    assert recorder.path is not None
    older = recorder.path.with_suffix(".older.csv.gz")
    assert set((tmp_path / "series").iterdir()) == {recorder.path, older, recorder.path.with_suffix(".json")}
    assert recorder.path.stat().st_size <= 20_000
    kept = [*read_series(older), *recorded(recorder)]
    assert len(kept) > 100
    assert kept == points[-len(kept) :]


def test_the_folder_stays_small_and_the_oldest_ended_recordings_are_removed_first(tmp_path: Path) -> None:
    recorders = [Recorder(tmp_path, None, max_recordings=5) for _ in range(9)]
    for age, recorder in enumerate(recorders):
        recorder.record(point(age))
        assert recorder.path is not None
        os.utime(recorder.path, (1000 + age, 1000 + age))
    running, paths = recorders[0], [recorder.path for recorder in recorders]
    assert len(files(tmp_path, ".csv")) == 9  # those of running processes stay
    for recorder in recorders[1:]:
        recorder.finish()
    del recorder

    Recorder(tmp_path, None, max_recordings=5).record(point(0))

    left = files(tmp_path, ".csv")
    assert len(left) == 5
    assert {paths[0], *paths[6:]} < left
    assert recorded(running)


def test_the_bytes_of_the_folder_are_bounded_too(tmp_path: Path) -> None:
    for _ in range(6):
        recorder = Recorder(tmp_path, None, max_folder_bytes=20_000)
        for number in range(100):
            recorder.record(point(number))
        recorder.finish()
    Recorder(tmp_path, None, max_folder_bytes=20_000).record(point(0))

    assert sum(path.stat().st_size for path in (tmp_path / "series").iterdir()) <= 20_000


def test_the_newest_crashes_stay_where_running_processes_fill_the_folder(tmp_path: Path) -> None:
    for age in range(KEPT_CRASHES + 3):
        crashed = Recorder(tmp_path, None)
        crashed.record(point(age))
        assert crashed.path is not None
        os.utime(crashed.path, (1000 + age, 1000 + age))
        del crashed
    running = [Recorder(tmp_path, None, max_recordings=5) for _ in range(8)]
    for recorder in running:
        recorder.record(point(0))

    crashes = files(tmp_path, ".csv") - {recorder.path for recorder in running}
    assert sorted(path.stat().st_mtime for path in crashes) == [1003 + age for age in range(KEPT_CRASHES)]


def test_a_removed_recording_goes_on_with_its_samples_and_notes(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 7.0)
    for number in range(4):
        recorder.record(point(number))
        recorder.record_snapshots(["one"])
        shutil.rmtree(tmp_path / "series")
    recorder.record(point(4))

    assert recorded(recorder) == [point(number) for number in range(5)]
    assert recorder.path is not None
    assert notes.read_snapshots(notes_of(recorder.path.with_suffix(".json"))) == ("one",)
    recorder.finish()
    assert files(tmp_path, ".json") == set()


def test_a_truncated_file_does_no_harm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(tmp_path, None)
    recorder.record(point(0))
    assert recorder.path is not None
    os.truncate(recorder.path, 0)
    recorder.record(point(1))
    recorder.finish()

    assert caplog.records == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_nothing_is_written_into_a_folder_of_another_user(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    os.chown(folder, 12345, -1)
    recorder = Recorder(tmp_path, None)

    for number in range(3):
        recorder.record(point(number))

    assert list(folder.iterdir()) == []
    assert caplog.text.count("series: it belongs to user 12345; fix this, or set HEAP_EXPORTER_SNAPSHOT_DIR") == 1


def test_a_file_in_the_place_of_the_folder_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "series").write_text("in the way")
    recorder = Recorder(tmp_path, None)

    recorder.record(point(0))
    recorder.record(point(1))

    assert recorder.path is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_the_descriptor_is_closed_with_the_recorder(tmp_path: Path) -> None:
    gc.collect()  # what other tests have left open is closed now
    before = set(os.listdir("/proc/self/fd"))
    recorder = Recorder(tmp_path, None)
    recorder.record(point(0))
    assert set(os.listdir("/proc/self/fd")) != before

    del recorder

    assert set(os.listdir("/proc/self/fd")) == before


def test_a_clean_stop_leaves_the_samples_and_no_notes(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, None)
    recorder.record(point(0))
    path = recorder.path
    recorder.finish()
    recorder.record(point(1))
    recorder.record_verdict(Verdict(1.0, State.STEADY, (), 900.0))
    recorder.finish()

    assert set((tmp_path / "series").iterdir()) == {path}
    assert path is not None
    assert list(read_series(path)) == [point(0)]


def test_the_notes_have_the_last_verdict_the_census_and_the_snapshots(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 7.0)
    verdict = Verdict(
        5.0, State.CONFIRMED, (GREW, Reason(ReasonKind.COLLECTOR_OFF)), 900.0, cause=Cause.NATIVE, seconds_to_limit=60.0
    )
    types = (TypeCount("shop.Session", 3, 300), TypeCount("Größe", 1, 30))
    recorder.record(point(0), MemoryLimits(5000, 4000, {"oom_kill": 2}), Census(4.0, 1, 1, 1, "native", types, ()))
    recorder.record_verdict(verdict)
    recorder.record_snapshots(["20261122T150000Z-1-abcd"])

    assert recorder.path is not None
    noted = notes_of(recorder.path.with_suffix(".json"))
    assert (noted["pid"], notes.read_start(noted)) == (os.getpid(), 7.0)
    assert notes.read_verdict(noted) == verdict
    assert notes.read_types(noted) == types
    assert notes.read_snapshots(noted) == ("20261122T150000Z-1-abcd",)


def test_an_unchanged_verdict_is_noted_twice_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    recorder = Recorder(tmp_path, None)
    recorder.record(point(0))
    assert recorder.path is not None
    judged = []
    for second in range(0, 200, 10):
        now = 1000.0 + second
        recorder.record_verdict(Verdict(float(second), State.GROWING if second < 150 else State.SUSPECTED, (), 900.0))
        noted = notes.read_verdict(notes_of(recorder.path.with_suffix(".json")))
        judged.append(noted.judged_at if noted else None)

    assert list(dict.fromkeys(judged)) == [0.0, 40.0, 80.0, 120.0, 150.0, 190.0]


LONG_REASON = Reason(ReasonKind.TYPE_GREW, {"type_name": "ü" * 2000, "objects": 1, "gained_bytes": 1})


def test_long_names_and_reasons_are_shortened(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, None)
    types = tuple(TypeCount("名" * 3000, 1, 1) for _ in range(90))
    recorder.record(point(0), None, Census(1.0, 1, 1, 1, "native", types, ()))
    recorder.record_verdict(Verdict(1.0, State.GROWING, (LONG_REASON,) * 50, 900.0))

    assert recorder.path is not None
    assert recorder.path.with_suffix(".json").stat().st_size < 64 * 1024
    noted = notes_of(recorder.path.with_suffix(".json"))
    verdict = notes.read_verdict(noted)
    assert verdict is not None
    assert verdict.reasons[0].values["type_name"] == "ü" * 200
    assert len(notes.read_types(noted)) >= 5
