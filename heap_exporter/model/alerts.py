"""Snapshots, leak alerts and the last exit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from heap_exporter.model.accumulations import Accumulation
from heap_exporter.model.allocations import AllocationGrowth
from heap_exporter.model.comparison_problems import ComparisonProblem
from heap_exporter.model.samples import TypeCount
from heap_exporter.model.verdicts import Point, Verdict
from heap_exporter.runtime.short_repr import short_repr


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A finished snapshot.

    ``content`` is ``graph``, or ``census`` where memory or disk was too short for a graph; ``note`` states what was
    short. ``predicted_bytes`` is the size as estimated before the snapshot was taken. ``service`` is ``""`` in a
    snapshot of an older release. ``uptime_seconds`` is the age of the process then, if known.
    """

    id: str
    path: Path
    bytes: int
    taken_at: float
    duration_seconds: float
    pause_seconds: float
    reason: str
    walker: str
    content: str
    objects: int
    predicted_bytes: int | None = None
    note: str = ""
    pid: int = 0
    service: str = ""
    uptime_seconds: float | None = None

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class MappingGrowth:
    """Bytes in RAM of one kind of mappings of the process, at two readings."""

    name: str
    before_bytes: int
    after_bytes: int

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class LeakAlert:
    """A confirmed leak, with the findings of its investigation.

    ``snapshots`` are those taken of it, oldest first; ``accumulation`` is where Python objects accumulate, if snapshots
    were compared. ``comparison_problem`` is why two snapshots were not compared, if they were not.
    ``allocated_at`` are the lines that allocated most of what is not freed, at most three, largest first.
    ``mappings`` are those that grew, if memory other than that of Python objects grew. ``fingerprint`` is that of the
    accumulation, or is made of the cause and the growing type.
    """

    verdict: Verdict
    fingerprint: str
    snapshots: tuple[SnapshotInfo, ...] = ()
    accumulation: Accumulation | None = None
    mappings: tuple[MappingGrowth, ...] = ()
    comparison_problem: ComparisonProblem | None = None
    allocated_at: tuple[AllocationGrowth, ...] = ()

    __repr__ = short_repr


class Ending(StrEnum):
    """How a process ended."""

    OOM_KILL = "oom-kill"
    KILLED = "killed"
    CRASHED = "crashed"
    MACHINE = "machine"
    UNKNOWN = "unknown"
    STOPPED = "stopped"

    @property
    def is_kill(self) -> bool:
        """Return whether SIGKILL ended the process: from the kernel's OOM killer or from another process."""
        return self in (Ending.OOM_KILL, Ending.KILLED)


class EndingReason(StrEnum):
    """Why an ending is believed to be the one it is."""

    KILL_COUNTED = "kill-counted"
    AT_LIMIT = "at-limit"
    FIRST_PROCESS = "first-process"
    OTHER_BOOT = "other-boot"
    SIGNAL = "signal"
    EXIT_CODE = "exit-code"
    REPLACED = "replaced"
    PARENT_ENDED = "parent-ended"
    CLEAN_STOP = "clean-stop"
    NO_CLEAN_STOP = "no-clean-stop"


@dataclass(frozen=True, slots=True)
class LastExit:
    """The end of a process, and its last hour; times are Unix seconds.

    ``exit_code`` is the negative number of the signal that ended the process, ``None`` if it was not recorded.

    ``points`` are the samples, oldest first, at least one; the slope is that of the growing memory over the last 15
    minutes. ``types`` are the largest of the last census, ``snapshots`` the ids of those that show the growth.
    """

    pid: int
    process_started_at: float | None
    ended: Ending
    reason: EndingReason
    exit_code: int | None
    points: tuple[Point, ...]
    slope_bytes_per_second: float | None
    verdict: Verdict | None
    types: tuple[TypeCount, ...]
    snapshots: tuple[str, ...]

    __repr__ = short_repr

    @property
    def last(self) -> Point:
        """Return the last point of this frozen value: the last sample before the process ended."""
        return self.points[-1]

    @property
    def uptime_seconds(self) -> float | None:
        """Return the uptime of the ended process, computed from the fields of this value."""
        return None if self.process_started_at is None else max(self.last.t_seconds - self.process_started_at, 0.0)
