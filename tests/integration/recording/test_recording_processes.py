"""Recordings of real processes that are killed, fork, exit or have a full disk."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from heap_exporter.model import Point
from heap_exporter.recording.exit_claim import claim_last_exit
from heap_exporter.recording.last_exit import find_exits
from heap_exporter.recording.recorder import Recorder
from heap_exporter.recording.series_reader import read_series
from tests.processes.programs import KEEPS_NO_BYTECODE, next_json, program

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # other tests may have left threads

FORK = multiprocessing.get_context("fork")

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from heap_exporter.recording import recorder as module
from heap_exporter.model import Point

module.RETRY_SECONDS = 0.0
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
recorder = module.Recorder(Path("."), None)
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

FULL_FROM_THE_START = """
import logging, resource, signal
from pathlib import Path
from heap_exporter.recording.recorder import Recorder
from heap_exporter.model import Point
logging.basicConfig(format="%(levelname)s %(message)s")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
recorder = Recorder(Path("."), None)
recorder.record(Point(1.0, 1))
recorder.record(Point(2.0, 2))
print(recorder.path, *Path("series").iterdir())
"""

KILLED = """
import itertools, json
from pathlib import Path
from heap_exporter.recording.recorder import Recorder
from heap_exporter.model import Point, State, Verdict

recorder = Recorder(Path("."), 1.0, max_bytes=5_000)
for number in itertools.count():
    recorder.record(Point(float(number), number))
    recorder.record_snapshots([str(number)])
    if number == 200:
        print(json.dumps("ready"), flush=True)
"""


def test_a_disk_that_is_full_for_a_while_costs_those_samples_only(tmp_path: Path) -> None:
    with program(FULL_DISK, tmp_path, **KEEPS_NO_BYTECODE) as process:
        assert process.wait(30) == 0, process.stderr and process.stderr.read()

    [file] = (tmp_path / "series").iterdir()
    numbers = [each.rss_bytes for each in read_series(file)]
    assert numbers == [*range(50), *range(100, 200)]


def test_a_disk_that_is_full_from_the_start_is_one_warning(tmp_path: Path) -> None:
    with program(FULL_FROM_THE_START, tmp_path, **KEEPS_NO_BYTECODE) as process:
        out, err = process.communicate(timeout=60)

    assert out.split("\n")[0] == "None"
    assert err.startswith("WARNING samples cannot be recorded in the folder series for now: ")
    assert err.count("WARNING") == 1


def test_a_kill_at_any_moment_leaves_a_recording_that_can_be_read(tmp_path: Path) -> None:
    with program(KILLED, tmp_path) as process:
        assert next_json(process) == "ready"
        process.send_signal(signal.SIGKILL)
        process.wait(30)

    series = [*(tmp_path / "series").glob("*.csv"), *(tmp_path / "series").glob("*.csv.gz")]
    points = [each for file in series for each in read_series(file)]
    ((_, found),), damaged = find_exits(tmp_path / "series")
    assert max(points).rss_bytes >= 200
    assert damaged == []
    assert found.last == max(points)
    assert found.last.rss_bytes - 1 <= int(found.snapshots[0]) <= found.last.rss_bytes


def test_a_forked_child_has_a_recording_of_its_own(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 7.0)
    recorder.record(Point(0.0, 10))
    if not (child := os.fork()):
        recorder.record(Point(1.0, 11))
        os._exit(0)
    os.waitpid(child, 0)
    recorder.record(Point(2.0, 12))

    ((path, found),), _ = find_exits(tmp_path / "series")
    assert (found.pid, found.process_started_at, found.points) == (child, None, (Point(1.0, 11),))
    assert recorder.path is not None
    assert path != recorder.path
    assert list(read_series(recorder.path)) == [Point(0.0, 10), Point(2.0, 12)]


def test_a_forked_child_that_stops_leaves_the_recording_of_its_parent_alone(tmp_path: Path) -> None:
    code = """
        import json, os, sys
        from pathlib import Path
        from heap_exporter.recording.exit_claim import claim_last_exit
        from heap_exporter.recording.recorder import Recorder
        from heap_exporter.model import Point
        recorder = Recorder(Path("."), None)
        recorder.record(Point(1.0, 1))
        child = os.fork()
        if not child:
            recorder.finish()
            del recorder
            os._exit(0 if claim_last_exit(Path("."), None) is None else 1)
        _, status = os.waitpid(child, 0)
        print(json.dumps([status, recorder.path.with_suffix(".json").exists()]), flush=True)
        sys.stdin.read()
    """
    with program(code, tmp_path) as process:
        assert next_json(process) == [0, True]
        assert find_exits(tmp_path / "series") == ([], [])
        process.kill()
        process.wait()

        ((_, found),), _ = find_exits(tmp_path / "series")

    assert [point.t_seconds for point in found.points] == [1.0]


def test_a_worker_of_multiprocessing_that_ends_stops_cleanly(tmp_path: Path) -> None:
    code = """
        import json, multiprocessing
        from pathlib import Path
        from heap_exporter.recording.recorder import Recorder
        from heap_exporter.model import Point

        def work():
            global recorder
            recorder = Recorder(Path("."), None)
            recorder.record(Point(1.0, 1))

        worker = multiprocessing.get_context("fork").Process(target=work)
        worker.start()
        worker.join()
        print(json.dumps([path.suffix for path in Path("series").iterdir()]), flush=True)
    """
    with program(code, tmp_path) as process:
        assert next_json(process) == [".csv"]


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise ValueError"])
def test_an_interpreter_that_ends_stops_cleanly(tmp_path: Path, end: str) -> None:
    code = f"""
        import sys
        from pathlib import Path
        from heap_exporter.recording.recorder import Recorder
        from heap_exporter.model import Point
        recorder = Recorder(Path("."), None)
        recorder.record(Point(1.0, 1))
        {end}
    """
    with program(code, tmp_path) as process:
        process.communicate()

    assert [path.suffix for path in (tmp_path / "series").iterdir()] == [".csv"]


def test_workers_that_start_at_once_claim_different_exits(tmp_path: Path) -> None:
    for second in range(4):
        crashed = Recorder(tmp_path, None)
        crashed.record(Point(float(second), 1))
        assert crashed.path is not None
        crashed.path.with_suffix(".exit").write_text("-9")
        del crashed
    gate, claimed = FORK.Event(), FORK.SimpleQueue()

    def start() -> None:
        gate.wait()
        found = claim_last_exit(tmp_path, None)
        claimed.put(found and found.last.t_seconds)

    workers = [FORK.Process(target=start) for _ in range(4)]
    for worker in workers:
        worker.start()
    gate.set()
    seen = [claimed.get() for _ in workers]
    for worker in workers:
        worker.join()

    known = [second for second in seen if second is not None]
    assert len(known) == len({*known}) > 0
    assert len(find_exits(tmp_path / "series")[0]) == 4
