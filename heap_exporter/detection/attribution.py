"""Says what a growth consists of, from the figures that grew with it.

The growth of private memory is split into parts: Python objects, other memory in use from malloc, what malloc and the
interpreter's own allocator (pymalloc) keep without using it, and pages that neither knows. The largest gives the name.
Pure: points go in, a cause comes out. Every figure may be missing; then less is told apart, with a word about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heap_exporter.detection.collecting import collecting
from heap_exporter.detection.field_growth import Rises
from heap_exporter.model import Cause, Point
from heap_exporter.runtime import formatting

MIN_SHARE = 0.5
"""Share of the growth that a part must have to be named as its cause."""

SMALL_BLOCK_BYTES = 64
"""What a new block of pymalloc stands for where nothing tells: 43 measured for pairs, 80 to 110 for instances."""

MIN_BLOCK_BYTES = 16
"""Where a census gained less for each new block, it does not see what the blocks are."""

LARGEST_OBJECT_BYTES = 4096
"""Growth for each new block up to which blocks may be the growth: an object over 512 bytes is one block, its bytes
are malloc's."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What a growth consists of, and the figures that say so, strongest first."""

    cause: Cause
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the growth: what it would be called, its bytes, and in words which figure shows it."""

    cause: Cause
    bytes: float
    words: str


@dataclass(frozen=True, slots=True)
class Python:
    """What Python objects gained: ``small`` bytes in pymalloc, ``large`` ones in malloc; ``words`` say who says so."""

    small: float
    large: float
    words: str


def attribute(points: Sequence[Point]) -> Attribution:
    """Return the cause of the growth over these points: of one process, oldest first, each figure where it was read."""
    rises = Rises(points)
    resident, private = rises.resident(), rises.private()
    growth = max(filter(None, (resident, private)), default=0.0)
    if growth <= 0:
        return Attribution(Cause.UNATTRIBUTED, ("memory does not grow over these points",))
    shared = _file_or_shared(rises)
    if shared.bytes >= MIN_SHARE * growth:
        return Attribution(shared.cause, (_said(shared, growth),))
    growth = private if private is not None and private > 0 else growth
    parts = _parts(rises, growth)
    if not parts:
        return Attribution(Cause.UNATTRIBUTED, (_missing(rises),))
    largest = max(parts, key=lambda part: part.bytes)
    if largest.bytes < MIN_SHARE * growth:
        return Attribution(Cause.UNATTRIBUTED, (_mixture(parts, growth),))
    if largest.cause is not Cause.PYTHON_OBJECTS:
        return Attribution(largest.cause, (_said(largest, growth),))
    cause, reasons = collecting(rises)
    return Attribution(cause, (_said(largest, growth), *reasons))


def _file_or_shared(rises: Rises) -> Part:
    file, shared = rises.of("file_bytes") or 0.0, rises.of("shmem_bytes") or 0.0
    if file > shared:
        return Part(Cause.FILE_OR_SHARED, file, "pages of mapped files gained")
    return Part(Cause.FILE_OR_SHARED, shared, "shared memory gained")


def _parts(rises: Rises, growth: float) -> list[Part]:
    """Return the parts that can be told apart here; none if those of Python cannot."""
    python = _python(rises, growth)
    if python is None:
        return []
    parts = [Part(Cause.PYTHON_OBJECTS, python.small + python.large, python.words)]
    seen = python.small + python.large
    used, malloc = rises.of("malloc_used_bytes"), rises.held("malloc")
    if used is not None and malloc is not None:
        foreign, kept = used - python.large, malloc - used
        parts.append(Part(Cause.NATIVE, foreign, "malloc's memory in use, Python objects aside, gained"))
        parts.append(Part(Cause.FRAGMENTATION, kept, "free memory that malloc does not give back gained"))
        seen += max(foreign, 0.0) + max(kept, 0.0)
    arenas = rises.held("pymalloc")
    if arenas is not None:
        kept = arenas - python.small
        parts.append(Part(Cause.FRAGMENTATION, kept, f"free memory in pymalloc's arenas{_a_block(rises)} gained"))
        seen += max(kept, 0.0)
    return [*parts, _rest(rises, growth, growth - seen)]


def _python(rises: Rises, growth: float) -> Python | None:
    """Return what Python's objects gained, ``None`` where neither a census nor a count of blocks or objects says."""
    heap, blocks, used = rises.of("heap_bytes"), rises.of("allocated_blocks"), rises.of("pymalloc_used_bytes")
    things = blocks if blocks is not None else rises.of("n_objects")
    if heap is None and things is None:
        return None
    count = max(things or 0.0, 0.0)
    has_own_allocator = blocks is not None or heap is None
    small = used if used is not None else count * SMALL_BLOCK_BYTES * has_own_allocator
    is_blind = heap is None or heap < count * MIN_BLOCK_BYTES
    if heap is not None and not is_blind:
        small = max(min(small, heap), 0.0) if used is None else max(small, 0.0)
        return Python(small, max(heap - small, 0.0), f"Python objects{_objects(rises)} gained")
    small = min(max(small, 0.0), growth)
    large = growth - small if count and growth / count <= LARGEST_OBJECT_BYTES else 0.0
    malloc = rises.of("malloc_used_bytes")
    large = large if malloc is None else max(min(large, malloc), 0.0)
    return Python(small, large, f"{formatting.count(count)} new memory blocks of Python objects make up about")


def _rest(rises: Rises, growth: float, rest: float) -> Part:
    """Return the part that none of the figures at hand knows."""
    if rises.held("pymalloc") is None and rises.bursts_bytes(SMALL_BLOCK_BYTES) >= growth:
        words = "Python objects come and go and the process keeps their pages: beside what lives it gained"
        return Part(Cause.FRAGMENTATION, rest, words)
    if rises.held("malloc") is None:
        return Part(Cause.NATIVE, rest, "memory that is no Python object's gained")
    return Part(Cause.NATIVE, rest, "anonymous mappings that no allocator made (mmap, thread stacks) gained")


def _said(part: Part, growth: float) -> str:
    share = f"{part.bytes / growth:.0%} of" if part.bytes <= growth else "more than"
    return f"{part.words} {formatting.size(part.bytes)}, {share} the growth of {formatting.size(growth)}"


def _objects(rises: Rises) -> str:
    objects = rises.of("n_objects")
    return f" ({formatting.difference(round(objects))})" if objects is not None else ""


def _a_block(rises: Rises) -> str:
    """Return how many bytes of arenas there were for a block, at first and now."""
    sizes = [held / blocks for held, blocks in rises.ends("pymalloc", "allocated_blocks") if blocks]
    return f" ({sizes[0]:.0f} bytes of arenas a block, now {sizes[1]:.0f})" if len(sizes) == 2 else ""


def _mixture(parts: Sequence[Part], growth: float) -> str:
    shares = ", ".join(f"{part.cause} {part.bytes / growth:.0%}" for part in parts if part.bytes >= 0.05 * growth)
    return f"no part of the {formatting.size(growth)} prevails: {shares or 'all figures stayed as they were'}"


def _missing(rises: Rises) -> str:
    if rises.of("malloc_used_bytes") is not None:
        return (
            "malloc's memory grew, but neither a census nor a count of Python's blocks (there is none under"
            " PYTHONMALLOC=malloc) says whether it is Python's"
        )
    return "only the process's size is known: no census, no count of Python's blocks, no figures of malloc"
