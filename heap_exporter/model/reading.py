"""The reading: everything known at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from heap_exporter.model.alerts import LastExit, LeakAlert, SnapshotInfo
from heap_exporter.model.lost_memory import LostGrowth
from heap_exporter.model.members import Member, Role
from heap_exporter.model.samples import Census, Sample, SlowReadings, TypeCount, WalkerChoice
from heap_exporter.model.verdicts import Verdict
from heap_exporter.runtime.short_repr import short_repr


@dataclass(frozen=True, slots=True)
class Counters:
    """Counts of the exporter's own actions and errors since it started in this process."""

    sample_errors: Mapping[str, int] = field(default_factory=dict)
    snapshots: Mapping[str, int] = field(default_factory=dict)
    detections: int = 0
    alerts: int = 0
    webhooks: Mapping[str, int] = field(default_factory=dict)
    listeners: Mapping[str, int] = field(default_factory=dict)
    uploads: Mapping[str, int] = field(default_factory=dict)
    pushes: Mapping[str, int] = field(default_factory=dict)
    walk_failures: Mapping[str, int] = field(default_factory=dict)
    gc_pause_seconds: tuple[float, ...] = ()
    cpu_seconds: float = 0.0

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything known at one moment. The exporters show it until the next reading replaces it as a whole.

    ``member`` is this process in its fleet, ``None`` before it has a slot; then no metric is exported.
    """

    started_at: float
    process_started_at: float | None
    member: Member | None = None
    role: Role = Role.SINGLE
    sample: Sample | None = None
    detail: SlowReadings = SlowReadings()
    census: Census | None = None
    census_interval_seconds: float = 0.0
    walker: WalkerChoice | None = None
    types: tuple[TypeCount, ...] = ()
    verdict: Verdict | None = None
    alert: LeakAlert | None = None
    last_exit: LastExit | None = None
    snapshot: SnapshotInfo | None = None
    lost: LostGrowth | None = None
    counters: Counters = Counters()

    __repr__ = short_repr
