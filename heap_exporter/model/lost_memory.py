"""Memory that no pointer leads to: C code has lost a reference to an object, or has forgotten to free memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from heap_exporter.runtime.short_repr import short_repr


class LostKind(StrEnum):
    """What a lost block is: an object, a block of Python's allocator, or a chunk of malloc without an object in it."""

    OBJECT = "object"
    PYTHON_BLOCK = "python-block"
    MALLOC_CHUNK = "malloc-chunk"


@dataclass(frozen=True, slots=True)
class LostGroup:
    """Lost blocks of one type, or of one size where they contain no object.

    ``type_name`` is ``""`` and ``block_bytes`` the size of each block without an object; else ``block_bytes`` is 0.
    ``sources`` are the blocks that are lost by themselves: nothing points to them, or more references to the object are
    counted than there are pointers. The others are held by lost blocks only. ``source_bytes`` is the size of the
    sources with all that they alone hold.
    """

    kind: LostKind
    type_name: str
    block_bytes: int
    blocks: int
    bytes: int
    sources: int
    source_bytes: int

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class LostMemory:
    """All lost memory of the process at ``taken_at`` (Unix seconds), largest group first.

    One search says little: blocks that a pointer in a register leads to are lost, too. What grows between two is lost.
    ``garbage_blocks`` wait for the garbage collector, and are no part of ``groups``. ``pools`` and ``heaps`` are those
    of Python's allocator and of malloc in which blocks were searched for; the ``broken_heaps`` of malloc could not be
    read, and no lost block is found in the ``unknown_bytes`` of anonymous memory outside of all these.
    """

    taken_at: float
    groups: tuple[LostGroup, ...]
    garbage_blocks: int
    garbage_bytes: int
    pools: int
    heaps: int
    broken_heaps: int
    unknown_bytes: int
    duration_seconds: float
    pause_seconds: float
    cpu_seconds: float

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class LostGrowth:
    """What was lost from a search at ``before_at`` (Unix seconds) to the last one, largest group first."""

    before_at: float
    groups: tuple[LostGroup, ...]
    search: LostMemory

    __repr__ = short_repr


def lost_growth(before: Iterable[LostGroup], after: Iterable[LostGroup]) -> tuple[LostGroup, ...]:
    """Return what was lost from one search to a later one of the same process, largest first."""
    known = {(group.kind, group.type_name, group.block_bytes): group for group in before}
    grown = [_grown(known.get((group.kind, group.type_name, group.block_bytes)), group) for group in after]
    return tuple(sorted((group for group in grown if group.blocks > 0), key=lambda group: -group.bytes))


def _grown(before: LostGroup | None, after: LostGroup) -> LostGroup:
    if before is None:
        return after
    return replace(
        after,
        blocks=after.blocks - before.blocks,
        bytes=after.bytes - before.bytes,
        sources=max(after.sources - before.sources, 0),
        source_bytes=max(after.source_bytes - before.source_bytes, 0),
    )
