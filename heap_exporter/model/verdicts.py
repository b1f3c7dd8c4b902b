"""The points that the detector judges, its verdicts, and the reasons for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from heap_exporter.model.accumulations import Accumulation, CacheLimit, SettledHolder
from heap_exporter.model.lost_memory import LostGroup
from heap_exporter.model.samples import memory_of_leaks
from heap_exporter.runtime.short_repr import short_repr

MIN_NAMED_SHARE = 0.02
"""Share of the largest gain that a type of the application must have to be named instead of a builtin one."""


class State(StrEnum):
    """The state of the growth of the process."""

    WARMING_UP = "warming-up"
    STEADY = "steady"
    GROWING = "growing"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    PLATEAUED = "plateaued"


class Cause(StrEnum):
    """The kind of memory that the growth consists of."""

    PYTHON_OBJECTS = "python-objects"
    UNCOLLECTED_CYCLES = "uncollected-cycles"
    NATIVE = "native"
    FRAGMENTATION = "fragmentation"
    FILE_OR_SHARED = "file-or-shared"
    LOST_REFERENCES = "lost-references"
    LOST_NATIVE_MEMORY = "lost-native-memory"
    UNATTRIBUTED = "unattributed"


class MemoryKind(StrEnum):
    """The kind of memory that a trend is about."""

    TOTAL = "total"
    PYTHON = "python"
    NATIVE = "native"
    FRAGMENTATION = "fragmentation"


@dataclass(frozen=True, slots=True)
class MemoryTrend:
    """The robust slope of one kind of memory over the window."""

    kind: MemoryKind
    slope_bytes_per_second: float

    __repr__ = short_repr


class FindingKind(StrEnum):
    """What the comparison of two snapshots shows about a suspicion."""

    CONFIRMS_ACCUMULATION = "confirms-accumulation"
    """Objects accumulate in a holder without a limit."""
    CONFIRMS_LOST_MEMORY = "confirms-lost-memory"
    """No pointer leads to memory that was allocated: C code has lost it."""
    CLEARS_BOUNDED_CACHE = "clears-bounded-cache"
    """The objects are in a cache that has not reached its limit."""
    CLEARS_SETTLED_HOLDER = "clears-settled-holder"
    """The holder of the objects has shrunk, or kept its size while the memory of the process grew."""
    CLEARS_IN_FLIGHT = "clears-in-flight"
    """The objects are local variables of running calls, or no place gained many."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of an investigation: a leak is confirmed, or the suspicion is cleared.

    ``accumulation`` is the leak that is confirmed and ``cause`` its cause; ``lost`` are the groups of lost memory.
    ``cache_limits``, ``in_flight_types`` and ``settled_holder`` are of the places that are cleared.
    """

    kind: FindingKind
    cause: Cause | None = None
    accumulation: Accumulation | None = None
    cache_limits: tuple[CacheLimit, ...] = ()
    in_flight_types: tuple[str, ...] = ()
    settled_holder: SettledHolder | None = None
    lost: tuple[LostGroup, ...] = ()

    __repr__ = short_repr

    @property
    def confirms(self) -> bool:
        """Return whether the kind of this value confirms a leak; otherwise it clears the suspicion."""
        return self.kind in (FindingKind.CONFIRMS_ACCUMULATION, FindingKind.CONFIRMS_LOST_MEMORY)


class Point(NamedTuple):
    """The values of one sample that growth is judged by; ``None`` where unknown.

    ``restart`` is true for the first point of a process, ``gc_enabled`` is 0 or 1. A census and the slow sources are
    read less often than samples: their fields are ``None`` in the points in between.
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
    interned_strings: int | None = None
    finding: Finding | None = None

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def growing_bytes(self) -> int:
        """Return the memory at this point that grows in a leak, in bytes."""
        return memory_of_leaks(self.rss_bytes, self.anonymous_bytes, self.shmem_bytes, self.swap_bytes)


@dataclass(frozen=True, slots=True)
class GrowingType:
    """A type that grew within the window; ``objects`` and ``bytes`` are its gains."""

    type_name: str
    objects: int
    bytes: int

    __repr__ = short_repr


def top_growing_type(types: Sequence[GrowingType]) -> GrowingType | None:
    """Return the type to name: the type of the application that gained most, or else the builtin one.

    A leak of sessions gains most bytes in the dicts of the sessions, but the name ``dict`` does not lead to the leak.
    """
    min_bytes = MIN_NAMED_SHARE * types[0].bytes if types else 0.0
    own = [gain for gain in types if "." in gain.type_name and gain.bytes >= min_bytes]
    return next(iter(own or types), None)


class ReasonKind(StrEnum):
    """What a reason for a verdict states. Each member lists the values of a :class:`Reason` of its kind."""

    WARMING_UP = "warming-up"
    """``seen_seconds`` of the ``needed_seconds`` of samples that the first verdict takes."""

    GREW = "grew"
    """``gained_bytes`` in ``seconds``, at ``slope_bytes_per_second``."""

    GREW_TOO_LITTLE = "grew-too-little"
    """``gained_bytes`` in ``seconds``: less than ``min_bytes``."""

    GREW_UNSTEADILY = "grew-unsteadily"
    """``gained_bytes`` in ``seconds``."""

    LOWS_RISE = "lows-rise"
    """``share`` of the later lows are above the earlier ones; ``noise_ratio`` is the gain to the noise, or None."""

    LAST_THIRD = "last-third"
    """``slope_ratio``: the slope of the last third to that of the whole."""

    NEW_HEIGHT = "new-height"
    """``above_bytes`` above all heights that lasted before."""

    EARLIER_RUNS = "earlier-runs"
    """``runs`` of the process before this one grew too, by ``slope_bytes_per_second`` (the median)."""

    TIME_TO_LIMIT = "time-to-limit"
    """``limit_bytes`` is reached in ``seconds``."""

    ONLY_FILE_PAGES = "only-file-pages"
    """RSS grows, private memory does not; no values."""

    TYPE_GREW = "type-grew"
    """``type_name`` gained ``objects`` and ``gained_bytes``."""

    DID_NOT_GROW = "did-not-grow"
    """The points that are to be attributed show no growth; no values."""

    FILE_PAGES = "file-pages"
    """Pages of mapped files gained ``gained_bytes`` of ``growth_bytes``, two values that the next kinds have too."""

    SHARED_MEMORY = "shared-memory"
    PYTHON_OBJECTS = "python-objects"
    """By a census; with ``objects`` (gained), or None."""

    PYTHON_BLOCKS = "python-blocks"
    """Without a census; with ``blocks`` (gained)."""

    MALLOC_IN_USE = "malloc-in-use"
    MALLOC_FREE = "malloc-free"
    PYMALLOC_FREE = "pymalloc-free"
    """With ``first_bytes_per_block`` and ``last_bytes_per_block`` of the arenas, or None."""

    FREED_BY_PYTHON = "freed-by-python"
    """Pages that the process keeps after a peak of Python objects."""

    NOT_PYTHON = "not-python"
    """Memory of no Python object, where the numbers of malloc are unknown."""

    MAPPINGS = "mappings"
    """Anonymous mappings outside of both allocators."""

    MIXTURE = "mixture"
    """No part has half of ``growth_bytes``; ``shares`` is the share by cause."""

    PYTHON_UNKNOWN = "python-unknown"
    """malloc in use grew; no census and no count of blocks shows how much of it is Python's. No values."""

    PARTS_UNKNOWN = "parts-unknown"
    """Only the size of the process is known; no values."""

    INTERNED_STRINGS = "interned-strings"
    """``objects`` strings were interned, which this version of Python never frees."""

    INCREMENTAL_COLLECTOR = "incremental-collector"
    """Cycles accumulate under a version of Python whose incremental collector frees them late; no values."""

    IN_GARBAGE = "in-garbage"
    """The collector could not free ``objects``."""

    STILL_REFERENCED = "still-referenced"
    """``full_collections`` did not free the new objects."""

    NOT_COLLECTED = "not-collected"
    """No full collection ran while ``objects`` were added."""

    COLLECTOR_OFF = "collector-off"
    """No values."""

    COLLECTOR_OFF_NO_CYCLES = "collector-off-no-cycles"
    """The collector is off, and the new objects are too few containers to be cycles; no values."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for a verdict: its kind, and the values that :class:`ReasonKind` lists for it.

    ``heap_exporter.report.reason_text`` makes a sentence of it.
    """

    kind: ReasonKind
    values: Mapping[str, object] = field(default_factory=dict)

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of the growth so far, with its cause, its numbers and the reasons.

    ``evidence_seconds`` is the length of the series that the state rests on; ``tail_ratio`` is the slope of its last
    third to that of the whole: 1 is unchanged, 0 is level. ``confidence`` is the probability of a leak, 0 to 1.
    ``finding`` is the one that the state rests on, if any.
    """

    judged_at: float
    state: State
    reasons: tuple[Reason, ...]
    window_seconds: float
    cause: Cause | None = None
    trends: tuple[MemoryTrend, ...] = ()
    evidence_seconds: float = 0.0
    tail_ratio: float | None = None
    confidence: float = 0.0
    seconds_to_limit: float | None = None
    growing_types: tuple[GrowingType, ...] = ()
    finding: Finding | None = None

    __repr__ = short_repr

    @property
    def is_suspicion(self) -> bool:
        """Return whether the state of this verdict is suspected or confirmed."""
        return self.state in (State.SUSPECTED, State.CONFIRMED)

    @property
    def is_confirmed(self) -> bool:
        """Return whether the state of this verdict is confirmed."""
        return self.state is State.CONFIRMED
