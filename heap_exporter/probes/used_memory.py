"""Reads how much memory the process uses when a snapshot is taken: more than the objects of the snapshot have."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from heap_exporter.errors import SourceMissing
from heap_exporter.probes import allocators, process, pymalloc

T = TypeVar("T")


class UsedMemory(NamedTuple):
    """Memory in use, in bytes; ``None`` where it is unknown.

    ``private_bytes`` is the private memory of the process without what its allocators keep free, ``allocated_bytes`` is
    what both allocators have in use: pages that were allocated and never written to count only here.
    """

    private_bytes: int | None
    allocated_bytes: int | None


def read_used_memory() -> UsedMemory:
    """Return the memory in use. An allocator that cannot be read counts as one without memory. Raises nothing."""
    memory = _read(process.read_memory)
    known = [each for each in (_read(allocators.read_malloc), _read(pymalloc.read_pymalloc)) if each]
    free = sum(each.retained_bytes for each in known)
    return UsedMemory(
        private_bytes=memory.growing_bytes - free if memory else None,
        allocated_bytes=sum(each.used_bytes for each in known) if known else None,
    )


def _read(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (SourceMissing, OSError):
        return None
