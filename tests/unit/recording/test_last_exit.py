"""What a start makes of the black boxes that it finds."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from heap_exporter.model import Cause, Ending, MemoryLimits, Point, State, Verdict
from heap_exporter.recording import ring_format
from heap_exporter.recording.crash_record import last_exit
from heap_exporter.recording.last_exit import KEPT_EXITS, MAX_UNCLAIMED, claim, find_exits, open_black_box
from heap_exporter.recording.ring import open_ring
from heap_exporter.recording.ring_format import Contents, Head, Recorded
from heap_exporter.runtime.boot_id import read_boot_id
from tests.examples.readings import GREW

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # other tests may have left threads

MIB = 1024**2
FORK = multiprocessing.get_context("fork")


def killed(folder: Path, *points: Point, limits: MemoryLimits | None = None) -> None:
    """Leave the black box of a process that dies in the middle of its life."""

    def live() -> None:
        ring = open_ring(folder, 1.0)
        for point in points:
            ring.record(point, limits)
        ring.record_verdict(Verdict(3.0, State.CONFIRMED, (GREW,), 900.0, cause=Cause.PYTHON_OBJECTS))
        ring.record_evidence(["20261122T150000Z-1-abcd"])
        os._exit(0)

    process = FORK.Process(target=live)
    process.start()
    process.join()


def contents(*samples: Recorded, boot: str = "") -> Contents:
    return Contents(Head(7, 1.0, 1.0, boot), None, samples, {})


def grown(t: float, rss_mib: int, limit_mib: int, headroom_mib: int | None = None, kills: int | None = 0) -> Recorded:
    headroom = None if headroom_mib is None else headroom_mib * MIB
    return Recorded(Point(t, rss_mib * MIB, limit_bytes=limit_mib * MIB), headroom, kills)


def test_the_next_start_tells_what_the_process_saw_last(tmp_path: Path) -> None:
    points = [Point(100.0 + 15 * index, 1000 + 150 * index, anonymous_bytes=500 + 150 * index) for index in range(100)]
    killed(tmp_path / "blackbox", *points)

    ring, found = open_black_box(tmp_path, None, None)

    assert ring is not None
    assert found is not None
    assert found.points == tuple(points)
    assert found.uptime_seconds == 100 + 15 * 99 - 1
    assert found.slope_bytes_per_second == pytest.approx(10)
    assert found.ended is Ending.KILLED
    assert found.verdict is not None
    assert (found.verdict.state, found.verdict.cause) == (State.CONFIRMED, Cause.PYTHON_OBJECTS)
    assert found.snapshots == ("20261122T150000Z-1-abcd",)


def test_an_exit_is_claimed_once_and_can_be_read_on(tmp_path: Path) -> None:
    folder = tmp_path / "blackbox"
    killed(folder, Point(1.0, 1))

    assert claim(folder, None) is not None
    assert claim(folder, None) is None
    assert len(find_exits(folder)[0]) == 1


def test_each_start_claims_the_newest_and_leaves_the_others_to_others(tmp_path: Path) -> None:
    for second in (1.0, 2.0, 3.0):
        killed(tmp_path, Point(second, 1))
        time.sleep(0.02)

    claimed = [claim(tmp_path, None) for _ in range(4)]

    assert [found and found.last.t_seconds for found in claimed] == [3.0, 2.0, 1.0, None]


def test_workers_that_start_at_once_claim_different_ones(tmp_path: Path) -> None:
    for second in range(4):
        killed(tmp_path, Point(float(second), 1))
    gate, told = FORK.Event(), FORK.SimpleQueue()

    def start() -> None:
        gate.wait()
        found = claim(tmp_path, None)
        told.put(found and found.last.t_seconds)

    workers = [FORK.Process(target=start) for _ in range(4)]
    for worker in workers:
        worker.start()
    gate.set()
    seen = [told.get() for _ in workers]
    for worker in workers:
        worker.join()

    known = [second for second in seen if second is not None]
    assert len(known) == len({*known})
    assert len(known) + len(find_exits(tmp_path)[0]) - len(list(tmp_path.glob("*.exit"))) == 4


def test_the_black_box_of_a_living_process_is_no_exit(tmp_path: Path) -> None:
    with_life = open_ring(tmp_path, None)
    with_life.record(Point(1.0, 1), None)

    assert claim(tmp_path, None) is None
    assert find_exits(tmp_path) == ([], [])
    assert with_life.path.exists()


def test_one_that_saw_nothing_or_stopped_in_order_is_no_exit(tmp_path: Path) -> None:
    killed(tmp_path)
    killed(tmp_path, Point(1.0, 1))
    ended = next(path for path in tmp_path.glob("*.ring") if ring_format.parse(path.read_bytes()).samples)
    data = bytearray(ended.read_bytes())
    mark = ring_format.end_bytes(5.0)
    data[ring_format.END_AT : ring_format.END_AT + len(mark)] = mark
    ended.write_bytes(data)

    assert claim(tmp_path, None) is None
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_one_is_passed_over_and_told_of(tmp_path: Path) -> None:
    killed(tmp_path, Point(1.0, 1))
    (tmp_path / "1795365938-15964-c824b9df.ring").write_bytes(b"nothing")

    found = claim(tmp_path, None)

    assert found is not None
    assert found.last.t_seconds == 1.0
    ((path, problem),) = find_exits(tmp_path)[1]
    assert path.name == "1795365938-15964-c824b9df.exit"
    assert "no black box" in str(problem)


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.ring").write_bytes(b"mine")
    (tmp_path / "1795365938-15964-c824b9df.ring").symlink_to("/dev/zero")

    assert claim(tmp_path, None) is None
    assert len(list(tmp_path.iterdir())) == 2


def test_the_folder_stays_small(tmp_path: Path) -> None:
    for second in range(KEPT_EXITS + 3):
        killed(tmp_path, Point(float(second), 1))
        assert claim(tmp_path, None) is not None
    assert len(list(tmp_path.glob("*.exit"))) == KEPT_EXITS

    for second in range(MAX_UNCLAIMED + 4):
        killed(tmp_path, Point(float(second), 1))
    assert claim(tmp_path, None) is not None
    assert len(list(tmp_path.glob("*.ring"))) == MAX_UNCLAIMED


def test_a_file_whose_making_was_cut_off_goes_after_an_hour(tmp_path: Path) -> None:
    old, new = tmp_path / "1-2-00000000.part", tmp_path / "3-4-00000000.part"
    old.write_bytes(b"")
    new.write_bytes(b"")
    os.utime(old, (1, 1))

    claim(tmp_path, None)

    assert [path.name for path in tmp_path.iterdir()] == [new.name]


def test_a_kill_that_the_cgroup_counted_since_is_an_oom_kill() -> None:
    found = last_exit(contents(grown(1, 100, 512, 400, kills=2)), MemoryLimits(512 * MIB, 400 * MIB, {"oom_kill": 3}))

    assert found.ended is Ending.OOM_KILL
    assert "has killed in this cgroup" in found.ended_why


def test_kills_of_a_new_cgroup_say_nothing() -> None:
    found = last_exit(contents(grown(1, 100, 512, 400, kills=2)), MemoryLimits(512 * MIB, 400 * MIB, {"oom_kill": 0}))

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
def test_memory_at_its_limit_one_sample_on_is_an_oom_kill(samples: tuple[Recorded, ...], ended: Ending) -> None:
    assert last_exit(contents(*samples), None).ended is ended


def test_another_boot_of_the_machine_is_told_from_a_kill() -> None:
    sample = grown(1, 100, 512)

    assert last_exit(contents(sample, boot="another"), None).ended is Ending.MACHINE
    assert last_exit(contents(sample, boot=read_boot_id()), None).ended is Ending.KILLED


def test_how_it_ended_is_what_was_found_at_the_claim(tmp_path: Path) -> None:
    killed(tmp_path, Point(1.0, 1), limits=MemoryLimits(100, 90, {"oom_kill": 0}))
    claim(tmp_path, MemoryLimits(100, 90, {"oom_kill": 1}))

    ((_, found),), _ = find_exits(tmp_path)

    assert found.ended is Ending.OOM_KILL
