"""What the growth of a process consists of: the slope of each kind of memory, and the cause.

The growth of private memory is split into parts: Python objects, other memory in use from malloc, memory that malloc
and the interpreter's own allocator (pymalloc) keep without using it, and pages that neither allocator knows. The
largest part names the cause. Every field of the points may be unknown; then fewer parts can be distinguished, and
the reason states what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from heap_exporter.detection.field_growth import FieldGrowth
from heap_exporter.detection.trend import bucket_minima, theil_sen
from heap_exporter.model import Cause, MemoryKind, MemoryTrend, Point, Reason, ReasonKind

MIN_SHARE = 0.5
"""Share of the growth that a part must have to be named as its cause."""

SMALL_BLOCK_BYTES = 64
"""Size of a new block of pymalloc where it is unknown: 43 was measured for pairs, 80 to 110 for instances."""

MIN_BLOCK_BYTES = 16
"""Where a census gained fewer bytes for each new block, it does not see the objects in the blocks."""

LARGEST_OBJECT_BYTES = 4096
"""Growth per new block up to which the new blocks may be the whole growth: an object over 512 bytes is one block, and
malloc has its bytes."""

OVERDUE_SHARE = 0.3
OVERDUE_OBJECTS = 100_000
"""New objects, and their share of those before, after which a full collection is overdue: with CPython's defaults
(``gc.set_threshold``) it runs once a quarter of the old ones is new and 77,000 containers have been made."""

CONTAINER_SHARE = 0.02
"""Share of the new objects that must be containers if cycles hold them: only containers can form cycles."""

UNCOLLECTABLE_SHARE = 0.1
MIN_UNCOLLECTABLE = 100

FIELDS = {
    MemoryKind.PYTHON: "heap_bytes",
    MemoryKind.NATIVE: "malloc_used_bytes",
    MemoryKind.FRAGMENTATION: "malloc_retained_bytes",
}
MIN_POINTS = 4


@dataclass(frozen=True, slots=True)
class Attribution:
    """The cause of a growth, and the reasons for it, strongest first."""

    cause: Cause
    reasons: tuple[Reason, ...]


class Explanation(NamedTuple):
    """The cause, the reasons for it, and the slopes of the kinds of memory that are known."""

    cause: Cause | None
    reasons: tuple[Reason, ...]
    trends: tuple[MemoryTrend, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the growth: the cause it stands for, its bytes, and the kind and further values of its reason."""

    cause: Cause
    bytes: float
    kind: ReasonKind
    values: tuple[tuple[str, object], ...] = ()

    def reason(self, growth_bytes: float) -> Reason:
        """Return the detector's reason that states this part of the growth."""
        return Reason(self.kind, {"gained_bytes": self.bytes, "growth_bytes": growth_bytes, **dict(self.values)})


@dataclass(frozen=True, slots=True)
class PythonGrowth:
    """Bytes that Python objects gained, the small ones in pymalloc, the large ones in malloc; kind of the reason."""

    small_bytes: float
    large_bytes: float
    kind: ReasonKind
    values: tuple[tuple[str, object], ...]

    @property
    def bytes(self) -> float:
        """Return the growth in bytes of Python objects in both allocators."""
        return self.small_bytes + self.large_bytes


def explain(points: Sequence[Point], *, with_cause: bool) -> Explanation:
    """Return what the growth of one process consists of, for the detector; its points are oldest first."""
    trends = tuple(trend for kind, field in FIELDS.items() if (trend := _trend(points, kind, field)) is not None)
    if not with_cause or len(points) < MIN_POINTS:
        return Explanation(None, (), trends)
    found = attribute(points)
    return Explanation(found.cause, found.reasons, trends)


def attribute(points: Sequence[Point]) -> Attribution:
    """Return the cause of the growth over points of one process, oldest first; a field counts where it was read."""
    growths = FieldGrowth(points)
    resident, private = growths.resident(), growths.private()
    growth = max(filter(None, (resident, private)), default=0.0)
    if growth <= 0:
        return Attribution(Cause.UNATTRIBUTED, (Reason(ReasonKind.DID_NOT_GROW),))
    shared = _file_or_shared(growths)
    if shared.bytes >= MIN_SHARE * growth:
        return Attribution(shared.cause, (shared.reason(growth),))
    growth = private if private is not None and private > 0 else growth
    parts = _parts(growths, growth)
    if not parts:
        return Attribution(Cause.UNATTRIBUTED, (_missing(growths),))
    largest = max(parts, key=lambda part: part.bytes)
    if largest.bytes < MIN_SHARE * growth:
        return Attribution(Cause.UNATTRIBUTED, (_mixture(parts, growth),))
    if largest.cause is not Cause.PYTHON_OBJECTS:
        return Attribution(largest.cause, (largest.reason(growth),))
    cause, reasons = _python_cause(growths)
    return Attribution(cause, (largest.reason(growth), *_interned_strings(growths), *reasons))


def _trend(points: Sequence[Point], kind: MemoryKind, field: str) -> MemoryTrend | None:
    series = [(point.t_seconds, float(value)) for point in points if (value := getattr(point, field)) is not None]
    if len(series) < MIN_POINTS:
        return None
    return MemoryTrend(kind, theil_sen(bucket_minima(series, series[0][0], series[-1][0])))


def _file_or_shared(growths: FieldGrowth) -> Part:
    file, shared = growths.of("file_bytes") or 0.0, growths.of("shmem_bytes") or 0.0
    if file > shared:
        return Part(Cause.FILE_OR_SHARED, file, ReasonKind.FILE_PAGES)
    return Part(Cause.FILE_OR_SHARED, shared, ReasonKind.SHARED_MEMORY)


def _parts(growths: FieldGrowth, growth: float) -> list[Part]:
    """Return the parts of the judged growth that the known fields distinguish; none if the Python part is unknown."""
    python = _python(growths, growth)
    if python is None:
        return []
    parts = [Part(Cause.PYTHON_OBJECTS, python.bytes, python.kind, python.values)]
    seen = python.bytes
    used, malloc = growths.of("malloc_used_bytes"), growths.of_allocator("malloc")
    if used is not None and malloc is not None:
        foreign, kept = used - python.large_bytes, malloc - used
        parts.append(Part(Cause.NATIVE, foreign, ReasonKind.MALLOC_IN_USE))
        parts.append(Part(Cause.FRAGMENTATION, kept, ReasonKind.MALLOC_FREE))
        seen += max(foreign, 0.0) + max(kept, 0.0)
    arenas = growths.of_allocator("pymalloc")
    if arenas is not None:
        kept = arenas - python.small_bytes
        parts.append(Part(Cause.FRAGMENTATION, kept, ReasonKind.PYMALLOC_FREE, _bytes_per_block(growths)))
        seen += max(kept, 0.0)
    return [*parts, _rest(growths, growth, growth - seen)]


def _python(growths: FieldGrowth, growth: float) -> PythonGrowth | None:
    """Return the judged growth of Python objects, ``None`` if neither a census nor a count of blocks is known."""
    heap, blocks, used = growths.of("heap_bytes"), growths.of("allocated_blocks"), growths.of("pymalloc_used_bytes")
    new_objects = blocks if blocks is not None else growths.of("n_objects")
    if heap is None and new_objects is None:
        return None
    count = max(new_objects or 0.0, 0.0)
    has_own_allocator = blocks is not None or heap is None
    small = used if used is not None else count * SMALL_BLOCK_BYTES * has_own_allocator
    sees_too_little = heap is None or heap < count * MIN_BLOCK_BYTES
    if heap is not None and not sees_too_little:
        small = max(min(small, heap), 0.0) if used is None else max(small, 0.0)
        return PythonGrowth(
            small, max(heap - small, 0.0), ReasonKind.PYTHON_OBJECTS, (("objects", growths.of("n_objects")),)
        )
    small = min(max(small, 0.0), growth)
    large = growth - small if count and growth / count <= LARGEST_OBJECT_BYTES else 0.0
    malloc = growths.of("malloc_used_bytes")
    large = large if malloc is None else max(min(large, malloc), 0.0)
    return PythonGrowth(small, large, ReasonKind.PYTHON_BLOCKS, (("blocks", count),))


def _rest(growths: FieldGrowth, growth: float, rest: float) -> Part:
    """Return the part of the judged growth that no known field explains."""
    if growths.of_allocator("pymalloc") is None and growths.peak_above_last_bytes(SMALL_BLOCK_BYTES) >= growth:
        return Part(Cause.FRAGMENTATION, rest, ReasonKind.FREED_BY_PYTHON)
    if growths.of_allocator("malloc") is None:
        return Part(Cause.NATIVE, rest, ReasonKind.NOT_PYTHON)
    return Part(Cause.NATIVE, rest, ReasonKind.MAPPINGS)


def _bytes_per_block(growths: FieldGrowth) -> tuple[tuple[str, object], ...]:
    """Return the bytes of arenas per block at the first and the last point, as values of a reason."""
    sizes = [held / blocks for held, blocks in growths.ends("pymalloc", "allocated_blocks") if blocks]
    first, last = sizes if len(sizes) == 2 else (None, None)
    return ("first_bytes_per_block", first), ("last_bytes_per_block", last)


def _mixture(parts: Sequence[Part], growth: float) -> Reason:
    shares: dict[str, float] = {}
    for part in parts:
        if part.bytes >= 0.05 * growth:
            shares[part.cause.value] = shares.get(part.cause.value, 0.0) + part.bytes / growth
    return Reason(ReasonKind.MIXTURE, {"growth_bytes": growth, "shares": shares})


def _missing(growths: FieldGrowth) -> Reason:
    is_malloc_known = growths.of("malloc_used_bytes") is not None
    return Reason(ReasonKind.PYTHON_UNKNOWN if is_malloc_known else ReasonKind.PARTS_UNKNOWN)


def _interned_strings(growths: FieldGrowth) -> tuple[Reason, ...]:
    """Return a reason if most of the new objects are interned strings that the interpreter never frees."""
    strings, blocks = growths.of("interned_strings"), growths.of("allocated_blocks")
    if not strings or not blocks or strings < MIN_SHARE * blocks:
        return ()
    return (Reason(ReasonKind.INTERNED_STRINGS, {"objects": strings}),)


def _python_cause(growths: FieldGrowth) -> tuple[Cause, tuple[Reason, ...]]:
    """Return whether new Python objects are referenced or wait for a collection that does not run, and why."""
    grown = growths.of("n_objects")
    grown = growths.of("allocated_blocks") if grown is None else grown
    stuck = growths.of("uncollectable_objects") or 0.0
    if stuck >= max(MIN_UNCOLLECTABLE, UNCOLLECTABLE_SHARE * (grown or 0.0)):
        return Cause.UNCOLLECTED_CYCLES, (Reason(ReasonKind.IN_GARBAGE, {"objects": stuck}),)
    full = growths.counted("gc_gen2_collections")
    if full:
        return Cause.PYTHON_OBJECTS, (Reason(ReasonKind.STILL_REFERENCED, {"full_collections": full}),)
    if growths.last("gc_enabled") == 0:
        return _cause_while_collector_is_off(growths, grown)
    first, containers = growths.first("n_objects"), growths.of("gc_pending_objects")
    waiting = grown if containers is None else containers
    if full is None or waiting is None or first is None or waiting < max(OVERDUE_OBJECTS, OVERDUE_SHARE * first):
        return Cause.PYTHON_OBJECTS, ()
    return Cause.UNCOLLECTED_CYCLES, (Reason(ReasonKind.NOT_COLLECTED, {"objects": waiting}),)


def _cause_while_collector_is_off(growths: FieldGrowth, grown: float | None) -> tuple[Cause, tuple[Reason, ...]]:
    containers = growths.of("gc_pending_objects")
    if containers is not None and grown and containers < CONTAINER_SHARE * grown:
        return Cause.PYTHON_OBJECTS, (Reason(ReasonKind.COLLECTOR_OFF_NO_CYCLES),)
    return Cause.UNCOLLECTED_CYCLES, (Reason(ReasonKind.COLLECTOR_OFF),)
