"""The stage after the judge: investigates a suspected leak, and takes a snapshot near the memory limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from heap_exporter.allocations import AllocationSampler
from heap_exporter.investigation.memory_pressure import MemoryPressure
from heap_exporter.model import Finding, LeakAlert, Point, Reading, SnapshotInfo, Verdict
from heap_exporter.probes.sampler import Sampler
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.settings import Settings
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.service import Snapshots

if TYPE_CHECKING:
    from heap_exporter.investigation.leak_investigator import LeakInvestigator


class InvestigationOutcome(NamedTuple):
    """What the stage returns: the alert of a leak that is confirmed now, and the snapshots that show the growth.

    ``has_ended`` means that the leak of the last alert has ended.
    """

    alert: LeakAlert | None
    snapshots: tuple[SnapshotInfo, ...]
    has_ended: bool = False


class InvestigationStage:
    """Investigates one suspicion after the other, within the snapshot budget that the processes of a folder share."""

    def __init__(
        self, settings: Settings, snapshots: Snapshots, sampler: Sampler, allocations: AllocationSampler
    ) -> None:
        self._settings = settings
        self._allocations = allocations
        self._snapshots = snapshots
        self._sampler = sampler
        self._budget = Budget(snapshots.store, settings.snapshot_cooldown_seconds, settings.snapshots_a_day)
        self._leak: LeakInvestigator | None = None
        self._pressure = MemoryPressure(
            settings.near_limit_percent, snapshots, self._budget, wants_snapshots=settings.snapshot_on_leak
        )

    def is_limit_near(self, reading: Reading, points: Sequence[Point]) -> bool:
        """Return whether the memory limit has come near while the newest points grow: a census is due then."""
        return self._pressure.notice(reading.detail.limits, points)

    def finding(self, reading: Reading) -> Finding | None:
        """Return what a finished comparison of snapshots shows, once."""
        return self._leak.finding(reading) if self._leak else None

    def investigate(self, verdict: Verdict | None, reading: Reading) -> InvestigationOutcome:
        """Take the snapshots that are due now, and return the alert of a leak that the verdict confirms.

        ``verdict`` is ``None`` where there is none on this reading; a snapshot near the limit is taken all the same.
        """
        self._pressure.take_due()
        if self._leak is None and verdict is not None and verdict.is_suspicion:
            self._leak = self._investigator()
        if self._leak is None:
            return InvestigationOutcome(None, self._pressure.snapshots)
        alert = None if verdict is None else self._leak.investigate(verdict, reading)
        return InvestigationOutcome(
            alert, (*self._leak.snapshots, *self._pressure.snapshots), has_ended=self._leak.take_end()
        )

    def _investigator(self) -> LeakInvestigator:
        """Return what investigates suspicions; most processes never have one, and need no memory for its modules."""
        with late_imports():
            from heap_exporter.investigation.leak_investigator import LeakInvestigator
            from heap_exporter.investigation.suspicion_allocations import SuspicionAllocations

        return LeakInvestigator(
            self._snapshots,
            self._budget,
            window_seconds=self._settings.window_seconds,
            wants_snapshots=self._settings.snapshot_on_leak,
            read_mappings=self._sampler.mappings,
            max_bytes=self._max_bytes,
            allocations=SuspicionAllocations(self._allocations, is_wanted=self._settings.allocations == "suspected"),
        )

    def _max_bytes(self, reading: Reading) -> int | None:
        """Return all the memory that the investigated process may have: its limit, or else the machine's memory."""
        limits = reading.detail.limits
        return limits.limit_bytes if limits and limits.limit_bytes is not None else self._sampler.physical_bytes()
