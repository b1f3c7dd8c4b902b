"""When the memory limit is near, from limits and points of all sorts, and what is secured then."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from heap_exporter.heapfile.format import read_header
from heap_exporter.investigation.memory_pressure import NearLimit, used_percent, watched
from heap_exporter.model import Detail, Malloc, MemoryLimits, Point, SnapshotInfo
from heap_exporter.probes.sources import Sources
from heap_exporter.settings import Settings
from heap_exporter.snapshot import preflight
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from tests.doubles.web_source import PausedWalker

MIB = 1024**2
LIMIT_BYTES = 200 * MIB


class Process:
    """A process with a limit, that has so much of it left, and grows or not."""

    def __init__(self, folder: Path, *, wants_snapshots: bool = True, a_day: int = 12) -> None:
        self.headroom_bytes: int | None = None
        self.walker = PausedWalker()
        self.snapshots = Snapshots(self.walker, Store(folder, 20), lambda: self.headroom_bytes)
        self.near = NearLimit(
            Settings().near_limit_percent,
            self.snapshots,
            Budget(self.snapshots.store, 3600, a_day),
            wants_snapshots=wants_snapshots,
        )

    def uses(self, percent: float, sizes: Sequence[int] = (100 * MIB, 101 * MIB, 102 * MIB)) -> bool:
        """Return whether the limit is noticed to be near, after the process had those sizes."""
        return self.near.is_reached(limits(percent), [Point(15.0 * at, size) for at, size in enumerate(sizes)])

    def secured(self) -> tuple[SnapshotInfo, ...]:
        """Have evidence secured, and return all that was on the way up."""
        self.near.secure()
        return self.near.snapshots


def limits(percent: float) -> MemoryLimits:
    return MemoryLimits(LIMIT_BYTES, int(LIMIT_BYTES * (1 - percent / 100)), {})


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path)


def test_what_grows_beyond_85_percent_of_its_limit_is_near_it(process: Process) -> None:
    assert not process.uses(84)
    assert process.uses(86)


@pytest.mark.parametrize("sizes", [(), (100 * MIB,), (100 * MIB, 100 * MIB), (102 * MIB, 101 * MIB), (10, 11, 12)])
def test_what_does_not_grow_may_stay_near_its_limit(process: Process, sizes: tuple[int, ...]) -> None:
    assert not process.uses(95, sizes)


@pytest.mark.parametrize(
    "unlimited",
    [
        None,
        MemoryLimits(None, None, {}),
        MemoryLimits(None, 5, {}),
        MemoryLimits(LIMIT_BYTES, None, {}),
        MemoryLimits(0, 0, {}),
    ],
)
def test_without_a_limit_nothing_is_near_it(process: Process, unlimited: MemoryLimits | None) -> None:
    assert used_percent(unlimited) == 0
    assert not process.near.is_reached(unlimited, [Point(0, 100 * MIB), Point(15, 150 * MIB), Point(30, 200 * MIB)])


def test_it_is_noticed_once_an_episode(process: Process) -> None:
    assert process.uses(86)
    assert [process.uses(percent) for percent in (87, 92, 83, 86, 99)] == [False] * 5
    assert not process.uses(79)
    assert process.uses(85.5)


def test_what_would_be_killed_before_two_samples_is_noticed_sooner_and_again_at_the_mark(process: Process) -> None:
    fast = (50 * MIB, 80 * MIB, 110 * MIB)  # 15 % of the limit a sample: 85 % and the kill may lie between two

    assert not process.uses(65, fast)
    assert process.uses(72, fast)
    assert not process.uses(80, fast)
    assert process.uses(87, fast)
    assert not process.uses(95, fast)


@pytest.mark.parametrize(
    ("percent", "sizes"),
    [
        pytest.param(72, (50 * MIB, 51 * MIB, 110 * MIB), id="one large gain, as when something is loaded"),
        pytest.param(49, (10 * MIB, 80 * MIB, 150 * MIB), id="not half of it is used"),
        pytest.param(72, (50 * MIB, 110 * MIB), id="two samples"),
    ],
)
def test_fast_growth_alone_is_no_sign(process: Process, percent: float, sizes: tuple[int, ...]) -> None:
    assert not process.uses(percent, sizes)


def test_a_snapshot_is_secured_and_says_how_much_was_used(process: Process) -> None:
    assert process.uses(91)
    (taken,) = process.secured()

    assert read_header(taken.path).reason == "memory near its limit (91 %), and growing"


def test_fast_growth_and_the_mark_each_have_one_and_both_are_told_of(process: Process) -> None:
    fast = (50 * MIB, 80 * MIB, 110 * MIB)
    assert process.uses(72, fast)
    (first,) = process.secured()
    assert process.uses(87, fast)

    assert process.secured()[0] == first
    assert len(process.snapshots.store.list()) == 2


def test_a_second_episode_within_the_cooldown_has_none(process: Process) -> None:
    assert process.uses(91)
    process.secured()
    assert not process.uses(50)
    assert process.uses(91)

    assert process.secured() == ()
    assert process.snapshots.outcomes["cooldown"] == 1
    assert len(process.snapshots.store.list()) == 1


def test_where_there_is_room_for_a_census_alone_it_is_a_census(process: Process) -> None:
    heap, walker = preflight.read_heap(None), process.walker.name
    needs = (preflight.graph_need(heap, walker), preflight.census_need(heap, walker))
    process.headroom_bytes = sum(need.memory_bytes for need in needs) // 2
    assert process.uses(86)
    (taken,) = process.secured()

    assert taken.content == "census"
    assert "memory" in taken.note


def test_where_there_is_room_for_nothing_it_is_said(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    process.headroom_bytes = 1000
    assert process.uses(99.9)
    with caplog.at_level(logging.WARNING):
        assert process.secured() == ()

    assert "no snapshot near the memory limit" in caplog.text
    assert process.snapshots.outcomes["no_memory"] == 1


def test_without_a_wish_for_snapshots_none_is_taken(tmp_path: Path) -> None:
    process = Process(tmp_path / "snapshots", wants_snapshots=False)
    assert process.uses(91)

    assert process.secured() == ()
    assert not (tmp_path / "snapshots").exists()


def test_a_day_without_snapshots_left_is_counted(tmp_path: Path) -> None:
    process = Process(tmp_path, a_day=0)
    assert process.uses(91)

    assert process.secured() == ()
    assert process.snapshots.outcomes["over_budget"] == 1


class Answers(Sources):
    """Sources of which only the limits are asked for."""

    def read(self, source: str, read: object) -> object:  # type: ignore[override]  # one answer for all
        assert source == "limits"
        return limits(42)


@pytest.mark.parametrize("percent", [1, 49, 99])
def test_where_there_is_a_limit_it_is_read_with_every_sample(percent: float) -> None:
    malloc = Malloc(1, 2)

    assert watched(Detail(malloc=malloc, limits=limits(percent)), Answers()) == Detail(malloc=malloc, limits=limits(42))


@pytest.mark.parametrize("detail", [Detail(), Detail(limits=MemoryLimits(None, None, {}))])
def test_without_one_nothing_is_read(detail: Detail) -> None:
    assert watched(detail, Answers()) is detail
