"""The values that the probes and the walkers measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heap_exporter.runtime.short_repr import short_repr


def memory_of_leaks(resident: int, anonymous: int | None, shared: int | None, swapped: int | None) -> int:
    """Return the bytes that grow in a leak: all memory but file pages (if these are known), in RAM or swapped out."""
    in_ram = resident if anonymous is None else anonymous + (shared or 0)
    return in_ram + (swapped or 0)


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """The memory of the process by ``/proc/self/status``."""

    resident_bytes: int
    anonymous_bytes: int | None
    file_bytes: int | None
    shmem_bytes: int | None
    peak_bytes: int | None
    swap_bytes: int | None
    threads: int | None

    __repr__ = short_repr

    @property
    def growing_bytes(self) -> int:
        """Return the memory of this process that grows in a leak, in bytes."""
        return memory_of_leaks(self.resident_bytes, self.anonymous_bytes, self.shmem_bytes, self.swap_bytes)


@dataclass(frozen=True, slots=True)
class CollectorState:
    """The state of the garbage collector; tuples have one entry per generation, youngest first.

    ``enabled`` is whether collections start automatically; ``full_collections`` is ``None`` where the collector works
    in increments; ``garbage_objects`` is the length of ``gc.garbage``.
    """

    pending_objects: tuple[int, ...]
    collections: tuple[int, ...]
    uncollectable_objects: tuple[int, ...]
    frozen_objects: int
    enabled: bool = True
    full_collections: int | None = None
    garbage_objects: int = 0

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class Sample:
    """One cheap reading of the process; ``interned_strings`` is set only if the interpreter never frees them."""

    taken_at: float
    uptime_seconds: float | None
    duration_seconds: float
    process: ProcessMemory | None
    collector: CollectorState | None
    allocated_blocks: int | None
    interned_strings: int | None = None

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class AllocatorMemory:
    """The memory of an allocator, malloc or pymalloc: in use, and free but not returned to the system."""

    used_bytes: int
    retained_bytes: int

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class MemoryShares:
    """The memory of the process with each shared page divided by its sharers (PSS), and its private pages (USS)."""

    proportional_bytes: int
    unique_bytes: int

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """The lowest memory limit of the process's cgroup and its ancestors, and the cgroup's event counts.

    ``headroom_bytes`` is left for all processes under that limit together, with page cache counted as free. ``group``
    is the inode of the cgroup with the least headroom, ``None`` without a limit.
    """

    limit_bytes: int | None
    headroom_bytes: int | None
    events: Mapping[str, int]
    group: int | None = None

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class SlowReadings:
    """One reading of the sources that are too slow to be read with every sample."""

    malloc: AllocatorMemory | None = None
    pymalloc: AllocatorMemory | None = None
    shares: MemoryShares | None = None
    limits: MemoryLimits | None = None

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class TypeCount:
    """The number of objects of a type, and the sum of their shallow sizes."""

    type_name: str
    objects: int
    bytes: int

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class Census:
    """All objects that the walker visited, by type, largest first.

    ``pause_seconds`` is the longest pause of the process. ``cpu_seconds`` is the CPU time of the walk, spent by this
    process if ``in_process``, else by its clone. ``references``, and the ``allocated_blocks`` of the interpreter at
    that time, are ``None`` if they were not counted.
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
    allocated_blocks: int | None = None

    __repr__ = short_repr

    @property
    def objects(self) -> int:
        return sum(count.objects for count in self.types)

    @property
    def bytes(self) -> int:
        return sum(count.bytes for count in self.types)


@dataclass(frozen=True, slots=True)
class Walk:
    """The objects of a graph that was written, and the time it took; fields as in :class:`Census`."""

    objects: int
    references: int
    duration_seconds: float
    pause_seconds: float
    cpu_seconds: float

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class WalkerChoice:
    """The walker in use: ``reason`` is one of a few words, as a label value; ``detail`` is a sentence or empty."""

    name: str
    reason: str
    detail: str = ""

    __repr__ = short_repr
