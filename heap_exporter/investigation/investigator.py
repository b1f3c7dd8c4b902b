"""What is done about a verdict: the evidence of a suspicion is secured, and that of a process near its limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from heap_exporter.investigation.investigation import CaseFile
from heap_exporter.investigation.memory_pressure import NearLimit
from heap_exporter.model import Finding, LeakAlert, Point, Reading, SnapshotInfo
from heap_exporter.probes import mappings, process
from heap_exporter.probes.sources import Sources
from heap_exporter.settings import Settings
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.service import Snapshots


class Evidence:
    """Follows one suspicion after the other, within the budget that all processes of the folder share.

    ``tell`` is called with each leak that is confirmed; ``limit_bytes()`` returns the process's memory limit, if any.
    """

    def __init__(
        self,
        settings: Settings,
        snapshots: Snapshots,
        sources: Sources,
        tell: Callable[[LeakAlert], None],
        limit_bytes: Callable[[], int | None],
    ) -> None:
        budget = Budget(snapshots.store, settings.snapshot_cooldown_seconds, settings.snapshots_a_day)
        self._sources = sources
        self._limit_bytes = limit_bytes
        self._case = CaseFile(
            snapshots,
            budget,
            tell,
            window_seconds=settings.window_seconds,
            wants_snapshots=settings.snapshot_on_leak,
            read_mappings=lambda: sources.read("mappings", mappings.read_mappings),
            max_bytes=self._max_bytes,
        )
        self._near_limit = NearLimit(
            settings.near_limit_percent, snapshots, budget, wants_snapshots=settings.snapshot_on_leak
        )
        self._is_limit_near = False

    def attend(self, reading: Reading) -> Finding | None:
        """Do what the verdict of a reading asks for, and return what the evidence newly says."""
        return None if reading.verdict is None else self._case.attend(reading.verdict, reading)

    def is_limit_near(self, reading: Reading, points: Sequence[Point]) -> bool:
        """Return whether the memory limit has come near while the newest points grow: slow readings are due then."""
        self._is_limit_near = self._near_limit.is_reached(reading.detail.limits, points)
        return self._is_limit_near

    def attend_limit(self) -> None:
        """Take a snapshot if the limit has just come near."""
        if self._is_limit_near:
            self._near_limit.secure()

    @property
    def snapshots(self) -> tuple[SnapshotInfo, ...]:
        """Return what was taken of the suspicion that is open now, and on the way to the limit."""
        return (*self._case.snapshots, *self._near_limit.snapshots)

    def _max_bytes(self) -> int | None:
        """Return all the memory that this process may have: its limit, or else the machine's."""
        limit_bytes = self._limit_bytes()
        return self._sources.read("limits", process.read_physical_bytes) if limit_bytes is None else limit_bytes
