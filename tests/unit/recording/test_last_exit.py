"""What a start does with the recordings of earlier processes, whatever state they are in."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.errors import CrashRecordError
from heap_exporter.model import Cause, Ending, EndingReason, LastExit, MemoryLimits, Point, State, Verdict
from heap_exporter.recording.csv_format import HEADER, csv_row
from heap_exporter.recording.exit_claim import claim_last_exit
from heap_exporter.recording.exit_codes import ExitRecord
from heap_exporter.recording.last_exit import HISTORY_SECONDS, MAX_SAMPLES, find_exits, last_exit
from heap_exporter.recording.recorder import MAX_RECORDINGS, Recorder
from heap_exporter.recording.series_reader import Recorded
from heap_exporter.runtime.boot_id import read_boot_id
from tests.examples.readings import GREW
from tests.examples.recordings import notes_of

MIB = 1024**2
KILL = ExitRecord(-signal.SIGKILL)


def crash(folder: Path, *points: Point, limits: MemoryLimits | None = None, seen: str = "-9") -> Path:
    """Leave the recording of a process with this content of its exit file; return its CSV file."""
    recorder = Recorder(folder, 1.0)
    for point in points or (Point(1.0, 1),):
        recorder.record(point, limits)
    recorder.record_verdict(Verdict(3.0, State.CONFIRMED, (GREW,), 900.0, cause=Cause.PYTHON_OBJECTS))
    recorder.record_snapshots(["20261122T150000Z-1-abcd"])
    assert recorder.path is not None
    recorder.path.with_suffix(".exit").write_text(seen)
    os.utime(recorder.path, (points[-1].t_seconds, points[-1].t_seconds) if points else None)
    return recorder.path  # without a reference to the recorder its file is unlocked, as after the end of a process


def exits(folder: Path) -> list[LastExit]:
    return [found for _, found in find_exits(folder / "series")[0]]


def exit_of(
    *samples: Recorded, limits: MemoryLimits | None = None, seen: ExitRecord | None = KILL, **noted: Any
) -> LastExit:
    found = last_exit({"pid": 7, "process_started_at": 1.0, **noted}, samples, seen, limits)
    assert found is not None
    return found


def grown(t: float, rss_mib: int, limit_mib: int, headroom_mib: int | None = None, kills: int | None = 0) -> Recorded:
    headroom = None if headroom_mib is None else headroom_mib * MIB
    return Recorded(Point(t, rss_mib * MIB, limit_bytes=limit_mib * MIB), headroom, kills)


def test_the_next_start_reads_what_the_process_recorded(tmp_path: Path) -> None:
    points = [Point(100.0 + 15 * index, 1000 + 150 * index, anonymous_bytes=500 + 150 * index) for index in range(100)]
    crash(tmp_path, *points)

    found = claim_last_exit(tmp_path, None)

    assert found is not None
    assert found.points == tuple(points)
    assert found.uptime_seconds == 100 + 15 * 99 - 1
    assert found.slope_bytes_per_second == pytest.approx(10)
    assert found.ended is Ending.KILLED
    assert found.verdict is not None
    assert (found.verdict.state, found.verdict.cause) == (State.CONFIRMED, Cause.PYTHON_OBJECTS)
    assert found.snapshots == ("20261122T150000Z-1-abcd",)


def test_the_last_hour_is_read_and_no_more(tmp_path: Path) -> None:
    crash(tmp_path, *(Point(15.0 * index, index) for index in range(1000)))

    (found,) = exits(tmp_path)

    assert found.points[0].t_seconds == 15.0 * 999 - HISTORY_SECONDS
    assert len(found.points) == 241


def test_the_last_hour_is_read_across_the_two_files_of_a_long_series(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, None, max_bytes=20_000)
    for index in range(1000):
        recorder.record(Point(15.0 * index, index))
        if index > 800 and recorder.path is not None and recorder.path.stat().st_size < 2000:
            break
    del recorder

    (found,) = exits(tmp_path)

    assert [point.t_seconds for point in found.points] == [15.0 * at for at in range(index - 240, index + 1)]


def test_of_samples_that_come_often_the_newest_are_read(tmp_path: Path) -> None:
    path = crash(tmp_path)
    path.write_text(HEADER + "".join(csv_row(Point(index / 10, index)) for index in range(MAX_SAMPLES + 500)))

    (found,) = exits(tmp_path)

    assert [point.rss_bytes for point in found.points] == [*range(500, MAX_SAMPLES + 500)]


def test_a_clock_that_is_set_back_hides_no_samples(tmp_path: Path) -> None:
    seconds = (*range(10_000, 14_000, 15), *range(500, 600, 15))
    crash(tmp_path, *(Point(float(second), second) for second in seconds))

    (found,) = exits(tmp_path)

    assert [point.t_seconds for point in found.points] == [float(second) for second in seconds]


def test_an_exit_is_claimed_once_and_can_still_be_read(tmp_path: Path) -> None:
    crash(tmp_path)

    assert claim_last_exit(tmp_path, None) is not None
    assert claim_last_exit(tmp_path, None) is None
    assert len(exits(tmp_path)) == 1


def test_each_start_claims_the_newest_exit(tmp_path: Path) -> None:
    for second in (1.0, 2.0, 3.0):
        crash(tmp_path, Point(second, 1))

    claimed = [claim_last_exit(tmp_path, None) for _ in range(4)]

    assert [found and found.last.t_seconds for found in claimed] == [3.0, 2.0, 1.0, None]


def test_the_recording_of_a_running_process_is_no_exit(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, None)
    recorder.record(Point(1.0, 1))

    assert claim_last_exit(tmp_path, None) is None
    assert find_exits(tmp_path / "series") == ([], [])
    assert recorder.path is not None
    assert recorder.path.with_suffix(".json").exists()


def test_the_recording_of_a_process_that_stopped_cleanly_is_no_exit(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, None)
    recorder.record(Point(1.0, 1))
    recorder.finish()

    assert claim_last_exit(tmp_path, None) is None
    (found,) = exits(tmp_path)
    assert (found.pid, found.ended, found.reason) == (os.getpid(), Ending.STOPPED, EndingReason.CLEAN_STOP)


def test_a_recording_without_samples_is_no_exit(tmp_path: Path) -> None:
    path = crash(tmp_path)
    path.write_text(path.read_text().partition("\n")[0] + "\n")

    assert exits(tmp_path) == []
    assert claim_last_exit(tmp_path, None) is None
    assert not path.with_suffix(".json").exists()


@pytest.mark.parametrize("text", ["nothing", "[" * 100_000, '{"version": 1, "pid": 1e999}', "\ud800"])
def test_damaged_notes_are_skipped_and_reported(tmp_path: Path, text: str) -> None:
    damaged = crash(tmp_path, Point(2.0, 2)).with_suffix(".json")
    damaged.write_bytes(text.encode("utf-8", "surrogatepass"))
    crash(tmp_path, Point(1.0, 1))

    found = claim_last_exit(tmp_path, None)

    assert found is not None
    assert found.last.t_seconds == 1.0
    ((path, problem),) = find_exits(tmp_path / "series")[1]
    assert path == damaged
    assert "not a crash record" in str(problem)


def test_a_recording_of_another_version_is_skipped_and_reported(tmp_path: Path) -> None:
    path = crash(tmp_path).with_suffix(".json")
    path.write_text(json.dumps({**notes_of(path), "version": 9}))
    before = path.read_bytes()

    assert claim_last_exit(tmp_path, None) is None
    assert "it has format version 9; this release of heap-exporter reads only version 1" in str(
        find_exits(tmp_path / "series")[1][0][1]
    )
    assert path.read_bytes() == before


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    (folder / "notes.json").write_bytes(b"mine")
    (folder / "20261122T164412Z-4711.csv").symlink_to("/dev/zero")
    (folder / "20261122T164412Z-4711.json").write_text("{}")

    assert claim_last_exit(tmp_path, None) is None
    assert len(list(folder.iterdir())) == 3


def test_the_folder_of_many_crashes_stays_small(tmp_path: Path) -> None:
    for second in range(MAX_RECORDINGS + 4):
        crash(tmp_path, Point(float(second), 1))

    found = sorted(each.last.t_seconds for each in exits(tmp_path))
    assert found == [float(second) for second in range(4, MAX_RECORDINGS + 4)]
    assert claim_last_exit(tmp_path, None) is not None


def test_a_file_in_the_place_of_the_folder_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "series").write_text("")

    assert claim_last_exit(tmp_path, None) is None
    assert "Not a directory" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_is_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    crash(tmp_path)
    os.chown(tmp_path / "series", 4711, 4711)

    assert claim_last_exit(tmp_path, None) is None
    assert "series: it belongs to user 4711; fix this, or set HEAP_EXPORTER_SNAPSHOT_DIR" in caplog.text


POINTS = [Point(float(second), 1000 + second, threads=second) for second in range(20)]


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """Return the CSV file of a crashed process, and its content."""
    path = crash(tmp_path_factory.mktemp("snapshots"), *POINTS)
    return path, path.read_bytes()


@given(data=st.data())
def test_a_series_that_is_cut_off_anywhere_has_the_samples_before(
    crashed: tuple[Path, bytes], data: st.DataObject
) -> None:
    path, whole = crashed
    length = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:length])

    found = exits(path.parent.parent)

    lines = whole[:length].count(b"\n") - 1
    assert [point.rss_bytes for each in found for point in each.points] == [1000 + second for second in range(lines)]


@given(data=st.data())
def test_altered_bytes_cost_no_other_samples(crashed: tuple[Path, bytes], data: st.DataObject) -> None:
    path, whole = crashed
    altered = bytearray(whole)
    header = altered.index(b"\n") + 1
    places = st.sampled_from(range(header, len(altered)))
    for at in data.draw(st.lists(places, min_size=1, max_size=4, unique=True)):
        altered[at] = 0

    path.write_bytes(altered)
    found = {point for each in exits(path.parent.parent) for point in each.points}

    assert len(found & set(POINTS)) >= 20 - 8


@given(st.binary(max_size=200))
def test_any_bytes_are_a_crash_record_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("notes") / "any.json"
    path.write_bytes(data)

    with pytest.raises(CrashRecordError, match="not a crash record"):
        notes_of(path)


def test_a_kill_that_the_cgroup_has_counted_since_is_an_oom_kill() -> None:
    found = exit_of(grown(1, 100, 512, 400, kills=2), limits=MemoryLimits(512 * MIB, 400 * MIB, {"oom_kill": 3}))

    assert (found.ended, found.reason) == (Ending.OOM_KILL, EndingReason.KILL_COUNTED)


def test_the_kills_of_a_new_cgroup_prove_nothing() -> None:
    found = exit_of(grown(1, 100, 512, 400, kills=2), limits=MemoryLimits(512 * MIB, 400 * MIB, {"oom_kill": 0}))

    assert found.ended is Ending.KILLED


@pytest.mark.parametrize(
    ("samples", "ended"),
    [
        ((grown(0, 480, 512), grown(15, 500, 512)), Ending.OOM_KILL),
        ((grown(0, 400, 512), grown(15, 460, 512)), Ending.KILLED),
        ((grown(0, 400, 512, 60), grown(15, 430, 512, 60)), Ending.OOM_KILL),
        ((grown(0, 400, 512, 60), grown(15, 401, 512, 60)), Ending.KILLED),
        ((grown(0, 40, 512, 20),), Ending.OOM_KILL),
    ],
)
def test_memory_that_reaches_its_limit_with_the_next_sample_is_an_oom_kill(
    samples: tuple[Recorded, ...], ended: Ending
) -> None:
    assert exit_of(*samples).ended is ended


def test_another_boot_of_the_machine_is_no_kill() -> None:
    sample = grown(1, 100, 512)

    assert exit_of(sample, seen=None, boot_id="another").ended is Ending.MACHINE
    assert exit_of(sample, seen=None, boot_id=read_boot_id()).ended is Ending.UNKNOWN


@pytest.mark.parametrize(
    ("seen", "ended", "reason"),
    [
        ("-9", Ending.KILLED, EndingReason.SIGNAL),
        ("-9 with-parent", Ending.STOPPED, EndingReason.PARENT_ENDED),
        ("-15", Ending.STOPPED, EndingReason.SIGNAL),
        ("-11", Ending.CRASHED, EndingReason.SIGNAL),
        ("155", Ending.STOPPED, EndingReason.EXIT_CODE),
        ("replaced", Ending.STOPPED, EndingReason.REPLACED),
        ("", Ending.UNKNOWN, EndingReason.NO_CLEAN_STOP),
        ("nonsense", Ending.UNKNOWN, EndingReason.NO_CLEAN_STOP),
        ("-4711", Ending.UNKNOWN, EndingReason.NO_CLEAN_STOP),
    ],
)
def test_the_recorded_exit_decides_and_only_a_kill_is_claimed(
    seen: str, ended: Ending, reason: EndingReason, tmp_path: Path
) -> None:
    crash(tmp_path, seen=seen)

    claimed = claim_last_exit(tmp_path, None)
    (found,) = exits(tmp_path)

    assert (found.ended, found.reason) == (ended, reason)
    assert (claimed is not None) == (ended is Ending.KILLED)


def test_a_sigterm_at_the_limit_is_no_oom_kill() -> None:
    limits = MemoryLimits(512 * MIB, 400 * MIB, {"oom_kill": 3})

    found = exit_of(grown(1, 510, 512, kills=2), limits=limits, seen=ExitRecord(-signal.SIGTERM))

    assert found.ended is Ending.STOPPED


def test_an_oom_kill_that_the_cgroup_has_counted_is_one_also_if_the_parent_ended() -> None:
    limits = MemoryLimits(512 * MIB, 400 * MIB, {"oom_kill": 3})

    found = exit_of(grown(1, 100, 512, 400, kills=2), limits=limits, seen=ExitRecord(-signal.SIGKILL, True))

    assert found.ended is Ending.OOM_KILL


def test_the_first_process_of_a_container_was_killed_if_it_did_not_stop_cleanly() -> None:
    found = exit_of(grown(1, 100, 512), seen=None, pid=1)

    assert (found.ended, found.reason) == (Ending.KILLED, EndingReason.FIRST_PROCESS)


def test_recordings_of_processes_that_stopped_make_room_for_those_of_crashed_ones(tmp_path: Path) -> None:
    for second in range(2):
        crash(tmp_path, Point(float(second), 1))
    for second in range(2, MAX_RECORDINGS + 8):
        crash(tmp_path, Point(float(second), 1), seen="-15")

    killed = [found.last.t_seconds for found in exits(tmp_path) if found.ended is Ending.KILLED]
    assert killed == [1.0, 0.0]
    assert len(exits(tmp_path)) <= MAX_RECORDINGS
    assert len(list((tmp_path / "series").glob("*.exit"))) <= MAX_RECORDINGS


def test_the_ending_is_the_one_that_the_claim_has_found(tmp_path: Path) -> None:
    crash(tmp_path, Point(1.0, 1), limits=MemoryLimits(100, 90, {"oom_kill": 0}))
    claim_last_exit(tmp_path, MemoryLimits(100, 90, {"oom_kill": 1}))

    (found,) = exits(tmp_path)

    assert found.ended is Ending.OOM_KILL
