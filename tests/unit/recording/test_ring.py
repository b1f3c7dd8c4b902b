"""The black box of a living process: what it keeps, and that nothing that happens to its file hurts the process."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from heap_exporter.errors import BlackBoxError
from heap_exporter.model import Census, Point, Reason, ReasonKind, State, TypeCount, Verdict
from heap_exporter.recording import ring_format
from heap_exporter.recording.last_exit import find_exits, open_black_box
from heap_exporter.recording.ring import Ring, open_ring
from tests.processes.programs import environment, next_json, program


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return open_ring(tmp_path / "blackbox", 1.0)


def times(ring: Ring) -> list[float]:
    return [sample.point.t_seconds for sample in ring_format.parse(ring.path.read_bytes()).samples]


def test_the_last_hour_stays_at_the_pace_of_the_default_interval(ring: Ring) -> None:
    for index in range(1000):
        ring.record(Point(index * 15.0 + index % 3 * 0.1, index), None)

    kept = times(ring)

    assert len(kept) == ring_format.SAMPLES
    assert kept[-1] - kept[0] == pytest.approx(239 * 15, abs=1)


def test_samples_that_come_faster_are_thinned_to_an_hour_and_the_newest_is_there(ring: Ring) -> None:
    for second in range(6000):
        ring.record(Point(float(second), second), None)

    kept = times(ring)
    gaps = [later - earlier for earlier, later in itertools.pairwise(kept)]

    assert kept[-2:] == [5998.0, 5999.0]
    assert 3400 <= kept[-1] - kept[0] <= 3600
    assert max(gaps) <= 60


def test_a_young_process_keeps_every_sample_however_fast_they_come(ring: Ring) -> None:
    for index in range(200):
        ring.record(Point(index / 10, index), None)

    assert len(times(ring)) == 200


def test_a_clock_that_is_set_back_costs_no_new_samples(ring: Ring) -> None:
    for second in (*range(10_000, 14_000, 15), *range(500, 600, 15)):
        ring.record(Point(float(second), second), None)

    assert times(ring)[-7:] == [float(second) for second in range(500, 600, 15)]


def test_the_file_is_private_and_small(ring: Ring) -> None:
    assert ring.path.stat().st_mode & 0o777 == 0o600
    assert ring.path.parent.stat().st_mode & 0o777 == 0o700
    assert ring.path.stat().st_size == ring.path.stat().st_blocks * 512 == ring_format.FILE_BYTES


def test_a_clean_stop_leaves_nothing(ring: Ring) -> None:
    ring.record(Point(1.0, 1), None)
    ring.finish()
    ring.record(Point(2.0, 2), None)
    ring.finish()

    assert list(ring.path.parent.iterdir()) == []


def test_a_file_that_somebody_truncates_or_removes_is_no_trouble(ring: Ring, caplog: pytest.LogCaptureFixture) -> None:
    os.truncate(ring.path, 0)
    ring.record(Point(1.0, 1), None)
    shutil.rmtree(ring.path.parent)
    ring.record(Point(2.0, 2), None)
    ring.finish()

    assert caplog.records == []


def test_figures_that_cannot_be_written_are_logged_once_and_raise_nothing(
    ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    ring.record(Point(1.0, 2**80), None)
    ring.record(Point(2.0, 2**80), None)
    ring.record(Point(3.0, 3), None)

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert times(ring) == [3.0]


LONG_REASON = Reason(ReasonKind.TYPE_GREW, {"type_name": "ü" * 2000, "objects": 1, "gained_bytes": 1})


def test_long_names_and_reasons_fit(ring: Ring) -> None:
    ring.record_verdict(Verdict(1.0, State.GROWING, (LONG_REASON,) * 50, 900.0))
    ring.record_census(Census(1.0, 1, 1, 1, "native", tuple(TypeCount("名" * 3000, 1, 1) for _ in range(90)), ()))
    notes = ring_format.parse(ring.path.read_bytes()).notes

    assert notes["verdict"]["reasons"][0][1]["type_name"].startswith("üüü")
    assert len(notes["census"]["types"]) >= 5


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    (tmp_path / "blackbox").mkdir()
    os.chown(tmp_path / "blackbox", 4711, 4711)

    with pytest.raises(BlackBoxError, match="belongs to user 4711; set HEAP_EXPORTER_SNAPSHOT_DIR"):
        open_ring(tmp_path / "blackbox", None)


def test_no_room_on_the_disk_is_no_black_box_and_a_warning(tmp_path: Path) -> None:
    code = """
        import logging, resource
        from pathlib import Path
        from heap_exporter.recording.last_exit import open_black_box
        logging.basicConfig(format="%(levelname)s %(message)s")
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        print(open_black_box(Path("."), None, None), *Path("blackbox").iterdir())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, cwd=tmp_path, env=environment(tmp_path), check=True,
    )  # fmt: skip  # options of one call

    assert done.stdout.split("\n")[0] == "(None, None)"
    assert done.stderr.startswith(
        "WARNING nothing will be known of this process if it is killed: cannot make a file in"
    )


def test_a_file_in_the_way_of_the_folder_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "blackbox").write_text("")

    assert open_black_box(tmp_path, None, None) == (None, None)
    assert "File exists" in caplog.text


def test_a_child_leaves_the_black_box_of_its_parent_alone(tmp_path: Path) -> None:
    code = """
        import json, os, sys
        from pathlib import Path
        from heap_exporter.recording.last_exit import claim, open_black_box
        from heap_exporter.recording.ring import open_ring
        from heap_exporter.model import Point
        ring, _ = open_black_box(Path("."), None, None)
        ring.record(Point(1.0, 1), None)
        child = os.fork()
        if not child:
            ring.record(Point(2.0, 2), None)
            ring.finish()
            del ring
            os._exit(0 if claim(Path("blackbox"), None) is None else 1)
        _, status = os.waitpid(child, 0)
        print(json.dumps([status, ring.path.exists()]), flush=True)
        sys.stdin.read()
    """
    with program(code, tmp_path) as process:
        assert next_json(process) == [0, True]
        assert find_exits(tmp_path / "blackbox") == ([], [])
        process.kill()
        process.wait()

        ((_, found),), _ = find_exits(tmp_path / "blackbox")

    assert [point.t_seconds for point in found.points] == [1.0]


def test_a_worker_of_multiprocessing_that_ends_in_order_leaves_nothing(tmp_path: Path) -> None:
    code = """
        import json, multiprocessing
        from pathlib import Path
        from heap_exporter.recording.ring import open_ring
        from heap_exporter.model import Point

        def work_on():
            global ring
            ring = open_ring(Path("blackbox"), None)
            ring.record(Point(1.0, 1), None)

        worker = multiprocessing.get_context("fork").Process(target=work_on)
        worker.start()
        worker.join()
        print(json.dumps([path.name for path in Path("blackbox").iterdir()]), flush=True)
    """
    with program(code, tmp_path) as process:
        assert next_json(process) == []


def test_the_descriptor_goes_with_the_object(tmp_path: Path) -> None:
    gc.collect()  # what other tests have left open is closed now
    before = os.listdir("/proc/self/fd")
    for _ in range(5):
        open_ring(tmp_path / "blackbox", None).finish()
    gc.collect()

    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise ValueError"])
def test_an_interpreter_that_ends_by_itself_leaves_nothing(tmp_path: Path, end: str) -> None:
    code = f"""
        import sys
        from pathlib import Path
        from heap_exporter.recording.ring import open_ring
        from heap_exporter.model import Point
        ring = open_ring(Path("blackbox"), None)
        ring.record(Point(1.0, 1), None)
        {end}
    """
    with program(code, tmp_path) as process:
        process.communicate()

    assert list((tmp_path / "blackbox").iterdir()) == []
