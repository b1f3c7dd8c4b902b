"""What a process is judged by is recorded, judged alike again, and never costs more than its small folder."""

from __future__ import annotations

import gc
import os
import random
import shutil
import signal
import stat
from pathlib import Path

import pytest

from heap_exporter.detection.detector import Detector, DetectorThresholds
from heap_exporter.detection.series import read_series
from heap_exporter.model import Cause, Finding, FindingKind, Point
from heap_exporter.recording.series_recorder import SeriesRecorder
from tests.processes.programs import next_json, program

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # other tests may have left threads

THRESHOLDS = DetectorThresholds(window_seconds=900, growth_percent=2, min_slope_bytes_per_hour=8 << 20)


def point(number: int) -> Point:
    return Point(t_seconds=1.7e9 + 15 * number, rss_bytes=10**8 + number)


def recorded(recorder: SeriesRecorder) -> list[Point]:
    assert recorder.path is not None
    return list(read_series(recorder.path))


def live_like() -> list[Point]:
    """Return six hours of a process that begins to leak: census and allocators with each fourth sample, one finding."""
    noise = random.Random(5)
    points = []
    for number in range(1440):
        leaked = max(number - 400, 0) * 300_000
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
                finding=Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS) if number == 1000 else None,
            )
        )
    return points


def test_what_was_recorded_is_judged_as_it_was(tmp_path: Path) -> None:
    live, replayed = Detector(THRESHOLDS), Detector(THRESHOLDS)
    recorder = SeriesRecorder(tmp_path / "series")
    verdicts = []
    for each in live_like():
        verdicts.append(live.observe(each))
        recorder.record(each)

    again = [replayed.observe(each) for each in recorded(recorder)]

    assert again == verdicts
    assert len({verdict.state for verdict in verdicts}) >= 3


def test_folder_and_file_are_the_users_own(tmp_path: Path) -> None:
    recorder = SeriesRecorder(tmp_path / "snapshots" / "series")
    recorder.record(point(0))

    assert recorder.path is not None
    assert recorder.path.name.endswith(f"-{os.getpid()}.csv")
    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o600
    for folder in (recorder.path.parent, recorder.path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_long_series_is_two_pieces_which_are_one_when_put_together(tmp_path: Path) -> None:
    recorder = SeriesRecorder(tmp_path / "series", max_bytes=20_000)
    points = [point(number) for number in range(1500)]
    for each in points:
        recorder.record(each)

    assert recorder.path is not None
    older = recorder.path.with_suffix(".older.csv.gz")
    assert sorted((tmp_path / "series").iterdir()) == sorted([recorder.path, older])
    assert recorder.path.stat().st_size <= 20_000
    kept = [*read_series(older), *recorded(recorder)]
    assert len(kept) > 100
    assert kept == points[-len(kept) :]


def test_the_folder_stays_small_and_the_oldest_of_the_dead_go_first(tmp_path: Path) -> None:
    folder = tmp_path / "series"
    recorders = [SeriesRecorder(folder, max_series=5) for _ in range(9)]
    for age, recorder in enumerate(recorders):
        recorder.record(point(age))
        assert recorder.path is not None
        os.utime(recorder.path, (1000 + age, 1000 + age))
    living, paths = recorders[0], [recorder.path for recorder in recorders]
    assert len(list(folder.iterdir())) == 9  # all live
    for recorder in recorders[1:]:
        recorder.close()

    SeriesRecorder(folder, max_series=5).record(point(0))

    left = set(folder.iterdir())
    assert len(left) == 5
    assert {paths[0], *paths[6:]} < left
    assert recorded(living)


def test_the_bytes_of_the_folder_are_bounded_too(tmp_path: Path) -> None:
    folder = tmp_path / "series"
    for _ in range(6):
        recorder = SeriesRecorder(folder, max_folder_bytes=20_000)
        for number in range(100):
            recorder.record(point(number))
        recorder.close()
    SeriesRecorder(folder, max_folder_bytes=20_000).record(point(0))

    assert sum(path.stat().st_size for path in folder.iterdir()) <= 20_000


def test_a_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    recorder = SeriesRecorder(tmp_path / "series")
    recorder.record(point(0))
    shutil.rmtree(tmp_path / "series")

    recorder.record(point(1))

    assert recorded(recorder) == [point(1)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_into_a_strangers_folder_nothing_is_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    os.chown(folder, 12345, -1)
    recorder = SeriesRecorder(folder)

    for number in range(3):
        recorder.record(point(number))

    assert list(folder.iterdir()) == []
    assert caplog.text.count("belongs to user") == 1


def test_a_place_that_is_no_folder_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "series").write_text("in the way")
    recorder = SeriesRecorder(tmp_path / "series")

    recorder.record(point(0))

    assert recorder.path is None


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from heap_exporter.recording import series_recorder as module
from heap_exporter.model import Point

module.RETRY_SECONDS = 0.0
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
recorder = module.SeriesRecorder(Path("series"))
points = [Point(float(number), number) for number in range(200)]
for each in points[:50]:
    recorder.record(each)
resource.setrlimit(resource.RLIMIT_FSIZE, (recorder.path.stat().st_size + 10, resource.RLIM_INFINITY))
for each in points[50:100]:
    recorder.record(each)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for each in points[100:]:
    recorder.record(each)
"""


def test_a_disk_that_is_full_for_a_while_costs_those_samples_only(tmp_path: Path) -> None:
    with program(FULL_DISK, tmp_path) as process:
        assert process.wait(30) == 0, process.stderr and process.stderr.read()

    [file] = (tmp_path / "series").iterdir()
    numbers = [each.rss_bytes for each in read_series(file)]
    assert numbers == [*range(50), *range(100, 200)]


KILLED = """
import itertools, json
from pathlib import Path
from heap_exporter.recording.series_recorder import SeriesRecorder
from heap_exporter.model import Point

recorder = SeriesRecorder(Path("series"))
for number in itertools.count():
    recorder.record(Point(float(number), number))
    if number == 1000:
        print(json.dumps("ready"))
"""


def test_a_kill_at_any_moment_leaves_a_series_that_can_be_read(tmp_path: Path) -> None:
    with program(KILLED, tmp_path) as process:
        assert next_json(process) == "ready"
        process.send_signal(signal.SIGKILL)
        process.wait(30)

    points = [each for file in sorted((tmp_path / "series").iterdir()) for each in read_series(file)]
    assert [each.rss_bytes for each in sorted(points)][-1] >= 1000


def test_a_forked_child_has_a_file_of_its_own(tmp_path: Path) -> None:
    recorder = SeriesRecorder(tmp_path / "series")
    recorder.record(point(0))
    if not (child := os.fork()):
        recorder.record(point(1))
        os._exit(0)
    os.waitpid(child, 0)
    recorder.record(point(2))

    assert recorded(recorder) == [point(0), point(2)]
    [other] = set((tmp_path / "series").iterdir()) - {recorder.path}
    assert list(read_series(other)) == [point(1)]


def test_the_descriptor_goes_with_the_recorder(tmp_path: Path) -> None:
    gc.collect()  # what other tests have left open is closed now
    before = set(os.listdir("/proc/self/fd"))
    recorder = SeriesRecorder(tmp_path / "series")
    recorder.record(point(0))
    assert set(os.listdir("/proc/self/fd")) != before

    del recorder

    assert set(os.listdir("/proc/self/fd")) == before
