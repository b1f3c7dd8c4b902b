"""What the probes and the walkers measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
class CollectorState:
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
    collector: CollectorState | None
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
class MemoryLimits:
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
    limits: MemoryLimits | None = None


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
