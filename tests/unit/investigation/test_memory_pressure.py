"""When the memory limit is near, and the snapshot that is taken then."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from heap_exporter.heapfile.format import read_header
from heap_exporter.investigation.memory_pressure import MemoryPressure, used_percent
from heap_exporter.model import MemoryLimits, Point, SnapshotInfo
from heap_exporter.settings import Settings
from heap_exporter.snapshot import preflight
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from tests.doubles.web_source import PausedWalker

MIB = 1024**2
LIMIT_BYTES = 200 * MIB


class Process:
    """A process below a memory limit; ``headroom_bytes`` are left."""

    def __init__(self, folder: Path, *, wants_snapshots: bool = True, a_day: int = 12) -> None:
        self.headroom_bytes: int | None = None
        self.walker = PausedWalker()
        self.snapshots = Snapshots(self.walker, Store(folder, 20), lambda: self.headroom_bytes)
        self.pressure = MemoryPressure(
            Settings().near_limit_percent,
            self.snapshots,
            Budget(self.snapshots.store, 3600, a_day),
            wants_snapshots=wants_snapshots,
        )

    def uses(self, percent: float, sizes: Sequence[int] = (100 * MIB, 101 * MIB, 102 * MIB)) -> bool:
        """Return whether the process notices the limit, after it had those sizes."""
        return self.pressure.notice(limits(percent), [Point(15.0 * at, size) for at, size in enumerate(sizes)])

    def take_due(self) -> tuple[SnapshotInfo, ...]:
        """Take the snapshot that is due, and return all that were taken on the way up."""
        self.pressure.take_due()
        return self.pressure.snapshots


def limits(percent: float) -> MemoryLimits:
    return MemoryLimits(LIMIT_BYTES, int(LIMIT_BYTES * (1 - percent / 100)), {})


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path)


def test_growth_beyond_85_percent_of_the_limit_is_near_it(process: Process) -> None:
    assert not process.uses(84)
    assert process.uses(86)


@pytest.mark.parametrize("sizes", [(), (100 * MIB,), (100 * MIB, 100 * MIB), (102 * MIB, 101 * MIB), (10, 11, 12)])
def test_a_process_that_does_not_grow_may_stay_near_its_limit(process: Process, sizes: tuple[int, ...]) -> None:
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
def test_without_a_limit_it_is_never_near(process: Process, unlimited: MemoryLimits | None) -> None:
    assert used_percent(unlimited) == 0
    assert not process.pressure.notice(unlimited, [Point(0, 100 * MIB), Point(15, 150 * MIB), Point(30, 200 * MIB)])


def test_the_limit_is_noticed_once_until_the_use_was_well_below_it(process: Process) -> None:
    assert process.uses(86)
    assert [process.uses(percent) for percent in (87, 92, 83, 86, 99)] == [False] * 5
    assert not process.uses(79)
    assert process.uses(85.5)


def test_growth_with_two_samples_left_is_noticed_early_and_again_at_85_percent(
    process: Process,
) -> None:
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
def test_fast_growth_is_ignored_far_below_the_limit_or_in_one_jump(
    process: Process, percent: float, sizes: tuple[int, ...]
) -> None:
    assert not process.uses(percent, sizes)


def test_the_reason_of_the_snapshot_has_the_share_that_is_used(process: Process) -> None:
    assert process.uses(91)
    (taken,) = process.take_due()

    assert read_header(taken.path).reason == "memory is at 91% of its limit and is growing"


def test_fast_growth_and_the_limit_coming_near_have_a_snapshot_each(process: Process) -> None:
    fast = (50 * MIB, 80 * MIB, 110 * MIB)
    assert process.uses(72, fast)
    (first,) = process.take_due()
    assert process.uses(87, fast)

    assert process.take_due()[0] == first
    assert len(process.snapshots.store.list()) == 2


def test_a_second_time_within_the_cooldown_has_no_snapshot(process: Process) -> None:
    assert process.uses(91)
    process.take_due()
    assert not process.uses(50)
    assert process.uses(91)

    assert process.take_due() == ()
    assert process.snapshots.outcomes["cooldown"] == 1
    assert len(process.snapshots.store.list()) == 1


def test_with_memory_for_a_census_only_the_snapshot_is_a_census(process: Process) -> None:
    heap, walker = preflight.estimate_heap_size(None), process.walker.name
    needs = (preflight.graph_need(heap, walker), preflight.census_need(heap, walker))
    process.headroom_bytes = sum(need.memory_bytes for need in needs) // 2
    assert process.uses(86)
    (taken,) = process.take_due()

    assert taken.content == "census"
    assert "memory" in taken.note


def test_without_memory_for_a_snapshot_the_refusal_is_logged(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.headroom_bytes = 1000
    assert process.uses(99.9)
    with caplog.at_level(logging.WARNING):
        assert process.take_due() == ()

    assert "memory use is near the limit" in caplog.text
    assert process.snapshots.outcomes["no_memory"] == 1


def test_with_snapshots_turned_off_none_is_taken(tmp_path: Path) -> None:
    process = Process(tmp_path / "snapshots", wants_snapshots=False)
    assert process.uses(91)

    assert process.take_due() == ()
    assert not (tmp_path / "snapshots").exists()


def test_a_refusal_by_the_daily_budget_is_counted(tmp_path: Path) -> None:
    process = Process(tmp_path, a_day=0)
    assert process.uses(91)

    assert process.take_due() == ()
    assert process.snapshots.outcomes["over_budget"] == 1
