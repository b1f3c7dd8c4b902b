"""What the detector judges by, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple


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


class MemoryKind(StrEnum):
    """Which memory a trend is about."""

    TOTAL = "total"
    PYTHON = "python"
    NATIVE = "native"
    FRAGMENTATION = "fragmentation"


@dataclass(frozen=True, slots=True)
class MemoryTrend:
    """The robust slope of one kind of memory over the window."""

    kind: MemoryKind
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
class GrowingType:
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
    trends: tuple[MemoryTrend, ...] = ()
    evidence_seconds: float = 0.0
    tail_ratio: float | None = None
    confidence: float = 0.0
    seconds_to_limit: float | None = None
    growing_types: tuple[GrowingType, ...] = ()

    @property
    def is_suspicion(self) -> bool:
        """Return whether a leak is suspected, or more."""
        return self.state in (State.SUSPECTED, State.CONFIRMED)

    @property
    def is_confirmed(self) -> bool:
        """Return whether a leak is confirmed."""
        return self.state is State.CONFIRMED
