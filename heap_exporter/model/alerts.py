"""What proves a verdict, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from heap_exporter.model.accumulations import Accumulation
from heap_exporter.model.samples import TypeCount
from heap_exporter.model.verdicts import Point, Verdict


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A finished snapshot.

    ``content`` is ``graph``, or ``census`` where there was no room for one; ``note`` says what was missing then.
    ``predicted_bytes`` is the size that was reckoned with before it was taken.
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


@dataclass(frozen=True, slots=True)
class MappingGrowth:
    """What one sort of mappings of the process gained between two readings, in bytes in RAM."""

    name: str
    before_bytes: int
    after_bytes: int


@dataclass(frozen=True, slots=True)
class LeakAlert:
    """A leak that was confirmed, with the evidence that was taken for it.

    ``snapshots`` are those taken, oldest first; ``accumulation`` is where Python objects accumulate, if they were
    compared; ``mappings`` are those that grew, where memory other than Python's did. ``fingerprint`` is the
    accumulation's, or one made of the cause and the type that grows.
    """

    verdict: Verdict
    fingerprint: str
    snapshots: tuple[SnapshotInfo, ...] = ()
    accumulation: Accumulation | None = None
    mappings: tuple[MappingGrowth, ...] = ()


class Ending(StrEnum):
    """How a process ended that did not stop in order."""

    OOM_KILL = "oom-kill"
    KILLED = "killed"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class LastExit:
    """The end of a process, and its last hour; times are Unix seconds. ``ended_why`` says ``ended`` in words.

    ``points`` are the samples, oldest first, at least one; the slope is that of the growing memory over the last 15
    minutes. ``types`` are the largest of the last census, ``snapshots`` the ids of those that show the growth.
    """

    pid: int
    process_started_at: float | None
    ended: Ending
    ended_why: str
    points: tuple[Point, ...]
    slope_bytes_per_second: float | None
    verdict: Verdict | None
    types: tuple[TypeCount, ...]
    snapshots: tuple[str, ...]

    @property
    def last(self) -> Point:
        """Return the last sample."""
        return self.points[-1]

    @property
    def uptime_seconds(self) -> float | None:
        """Return how old the process was at the last sample."""
        return None if self.process_started_at is None else max(self.last.t_seconds - self.process_started_at, 0.0)
