"""The stage as a whole: a snapshot near the memory limit needs no verdict."""

from __future__ import annotations

from pathlib import Path

from heap_exporter.investigation.stage import InvestigationStage
from heap_exporter.model import MemoryLimits, Point, Reading, SlowReadings
from heap_exporter.probes.sampler import Sampler
from heap_exporter.settings import Settings
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from tests.doubles.allocation_samplers import FakeSampler
from tests.doubles.web_source import PausedWalker

MIB = 1024**2


def test_a_snapshot_near_the_memory_limit_is_taken_once_without_a_verdict(tmp_path: Path) -> None:
    snapshots = Snapshots(PausedWalker(), Store(tmp_path, 20), lambda: None)
    investigator = InvestigationStage(Settings(snapshot_dir=tmp_path), snapshots, Sampler(), FakeSampler())
    limits = MemoryLimits(limit_bytes=200 * MIB, headroom_bytes=10 * MIB, events={})
    reading = Reading(0.0, None, detail=SlowReadings(limits=limits))

    assert investigator.is_limit_near(reading, [Point(15.0 * at, (180 + at) * MIB) for at in range(3)])
    first, again = investigator.investigate(None, reading), investigator.investigate(None, reading)

    assert first.alert is None
    assert [info.reason for info in first.snapshots] == ["memory is at 95% of its limit and is growing"]
    assert again.snapshots == first.snapshots
    assert len(snapshots.store.list()) == 1
