"""The values that travel from the probes to everything that tells: frozen, plain, without behaviour of their own.

Times named ``*_at`` are Unix seconds, durations are seconds, sizes are bytes. ``None`` means that the source
is missing here or failed, and whoever tells leaves the figure out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """What the kernel says about the process in ``/proc/self/status``."""

    resident_bytes: int
    anonymous_bytes: int | None
    file_bytes: int | None
    shmem_bytes: int | None
    peak_bytes: int | None
    swap_bytes: int | None
    threads: int | None

    @property
    def growing_bytes(self) -> int:
        """Return the memory that a leak shows in: anonymous pages, in RAM or swapped out."""
        private = self.resident_bytes if self.anonymous_bytes is None else self.anonymous_bytes
        return private + (self.swap_bytes or 0)


@dataclass(frozen=True, slots=True)
class Collector:
    """The state of the garbage collector; one entry a generation, youngest first.

    ``enabled`` is whether it starts by itself; ``full_collections`` is ``None`` where it collects in increments;
    ``garbage_objects`` are those in ``gc.garbage``.
    """

    pending_objects: tuple[int, ...]
    collections: tuple[int, ...]
    uncollectable_objects: tuple[int, ...]
    frozen_objects: int
    enabled: bool = True
    full_collections: int | None = None
    garbage_objects: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One cheap reading of the process."""

    taken_at: float
    uptime_seconds: float | None
    duration_seconds: float
    process: ProcessMemory | None
    collector: Collector | None
    allocated_blocks: int | None


@dataclass(frozen=True, slots=True)
class Malloc:
    """What an allocator holds, the C library's or the interpreter's own: in use, and free but not given back."""

    used_bytes: int
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class Shares:
    """The process's memory with shared pages counted by share (PSS), and its private pages alone (USS)."""

    proportional_bytes: int
    unique_bytes: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The lowest memory limit of the process's cgroup and its ancestors, and the cgroup's event counts.

    ``headroom_bytes`` is what all processes under that limit together have left, page cache counted as free.
    """

    limit_bytes: int | None
    headroom_bytes: int | None
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Detail:
    """One reading of the sources that are too slow for every sample."""

    malloc: Malloc | None = None
    pymalloc: Malloc | None = None
    shares: Shares | None = None
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class TypeCount:
    """How many objects of a type there are and their shallow size together."""

    type_name: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Census:
    """All objects the walker saw, by type, largest first.

    ``pause_seconds`` is the longest that the process stood still. ``cpu_seconds`` is the processor time of whoever
    walked: this process if ``in_process``, else its clone. ``references`` is ``None`` when they were not counted.
    """

    taken_at: float
    duration_seconds: float
    pause_seconds: float
    cpu_seconds: float
    walker: str
    types: tuple[TypeCount, ...]
    generation_objects: tuple[int, ...]
    references: int | None = None
    in_process: bool = True

    @property
    def objects(self) -> int:
        return sum(count.objects for count in self.types)

    @property
    def bytes(self) -> int:
        return sum(count.bytes for count in self.types)


@dataclass(frozen=True, slots=True)
class Walk:
    """What it took to write the whole graph; figures as in :class:`Census`."""

    objects: int
    references: int
    duration_seconds: float
    pause_seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class WalkerChoice:
    """Which walker walks and why: ``reason`` is a word of few, fit for a label; ``detail`` is a sentence or empty."""

    name: str
    reason: str
    detail: str = ""


class State(StrEnum):
    """Where the judging of the process's growth stands."""

    WARMING_UP = "warming-up"
    STEADY = "steady"
    GROWING = "growing"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    PLATEAUED = "plateaued"


class Cause(StrEnum):
    """What the growth consists of."""

    PYTHON_OBJECTS = "python-objects"
    UNCOLLECTED_CYCLES = "uncollected-cycles"
    NATIVE = "native"
    FRAGMENTATION = "fragmentation"
    FILE_OR_SHARED = "file-or-shared"
    UNATTRIBUTED = "unattributed"


class Kind(StrEnum):
    """Which memory a trend is about."""

    TOTAL = "total"
    PYTHON = "python"
    NATIVE = "native"
    FRAGMENTATION = "fragmentation"


@dataclass(frozen=True, slots=True)
class Trend:
    """The robust slope of one kind of memory over the window."""

    kind: Kind
    slope_bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What the evidence says of a suspicion: that it is a leak, or that it is none; ``cause`` if it tells that too."""

    outcome: Literal["confirms", "clears"]
    reason: str
    cause: Cause | None = None


class Point(NamedTuple):
    """The figures of one sample that growth is judged by; ``None`` where unknown.

    ``restart`` is true for the first point of a process, ``gc_enabled`` is 0 or 1. A census and the slow readings come
    more seldom than samples: points in between have ``None`` for their figures.
    """

    t_seconds: float
    rss_bytes: int
    heap_bytes: int | None = None
    allocated_blocks: int | None = None
    gc_gen2_collections: int | None = None
    n_objects: int | None = None
    restart: bool = False
    anonymous_bytes: int | None = None
    swap_bytes: int | None = None
    file_bytes: int | None = None
    shmem_bytes: int | None = None
    malloc_used_bytes: int | None = None
    malloc_retained_bytes: int | None = None
    pymalloc_used_bytes: int | None = None
    pymalloc_retained_bytes: int | None = None
    unique_bytes: int | None = None
    gc_enabled: int | None = None
    gc_pending_objects: int | None = None
    uncollectable_objects: int | None = None
    threads: int | None = None
    limit_bytes: int | None = None
    finding: Finding | None = None

    @property
    def growing_bytes(self) -> int:
        """Return the memory that a leak shows in: all but file pages where that is known, in RAM or swapped out."""
        private = self.rss_bytes if self.anonymous_bytes is None else self.anonymous_bytes + (self.shmem_bytes or 0)
        return private + (self.swap_bytes or 0)


@dataclass(frozen=True, slots=True)
class Grower:
    """A type that grew within the window; ``objects`` and ``bytes`` are what it gained."""

    type_name: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the detector thinks of the growth so far, in figures and in words.

    ``evidence_seconds`` is the length of the series that the state rests on; ``tail_ratio`` is the slope of its last
    part to that of the whole: 1 goes on as it was, 0 has levelled off. ``confidence`` is 0 to 1.
    """

    judged_at: float
    state: State
    reasons: tuple[str, ...]
    window_seconds: float
    cause: Cause | None = None
    trends: tuple[Trend, ...] = ()
    evidence_seconds: float = 0.0
    tail_ratio: float | None = None
    confidence: float = 0.0
    seconds_to_limit: float | None = None
    growers: tuple[Grower, ...] = ()

    @property
    def is_suspicion(self) -> bool:
        """Return whether a leak is suspected, or more."""
        return self.state in (State.SUSPECTED, State.CONFIRMED)

    @property
    def is_confirmed(self) -> bool:
        """Return whether a leak is confirmed."""
        return self.state is State.CONFIRMED


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
class Accumulation:
    """Where objects accumulate, as the comparison of two snapshots found it.

    ``holder`` holds them, ``path`` are the steps to them; ``objects`` and ``bytes`` are what was gained between the
    snapshots; ``share`` is the part of all growth, 0 to 1. ``fingerprint`` is the same for the same leak in every
    process. ``text`` says it all in a sentence, ``advice`` what to do about it.
    """

    type_name: str
    holder: str
    path: tuple[str, ...]
    fingerprint: str
    objects: int
    bytes: int
    bytes_per_minute: float | None
    share: float
    text: str
    advice: str


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
    advice: str = ""


class Ending(StrEnum):
    """How a process ended that did not stop in order."""

    OOM_KILL = "oom-kill"
    KILLED = "killed"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class LastExit:
    """The end of a process, and its last hour; times are Unix seconds. ``ended_why`` says ``ended`` in words.

    ``points`` are the samples, oldest first, at least one; the slope is that of the growing memory over the last 15
    minutes. ``types`` are the largest of the last census, ``snapshots`` the ids of those taken for the last alert.
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


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of the exporter's own doings since it started in this process."""

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


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything known at one moment: what the exporters tell until the next one replaces it whole."""

    started_at: float
    process_started_at: float | None
    sample: Sample | None = None
    detail: Detail = Detail()
    census: Census | None = None
    census_interval_seconds: float = 0.0
    walker: WalkerChoice | None = None
    types: tuple[TypeCount, ...] = ()
    verdict: Verdict | None = None
    alert: LeakAlert | None = None
    last_exit: LastExit | None = None
    snapshot: SnapshotInfo | None = None
    tally: Tally = Tally()
