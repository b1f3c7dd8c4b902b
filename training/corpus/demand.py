"""The memory that one part of a program needs over time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from training.corpus.series import Array


class Pool(Enum):
    """Where memory is allocated, which decides in which columns it is seen, and what is kept when it is freed."""

    SMALL = auto()
    """Python objects of up to 512 bytes: pymalloc."""

    LARGE = auto()
    """Python objects that are larger: malloc."""

    NATIVE = auto()
    """malloc by a C library."""

    MAPPED = auto()
    """Arrays and stacks with mappings of their own, which are returned to the kernel when they are freed."""

    FREE_SMALL = auto()
    """What pymalloc keeps in arenas that are partly used."""

    FREE_MALLOC = auto()
    """What malloc cannot return between blocks in use."""

    FILES = auto()
    """File pages that are mapped."""

    SHARED = auto()
    """Shared memory."""


PYTHON = (Pool.SMALL, Pool.LARGE)


@dataclass
class Demand:
    """Memory in MiB at each sample.

    ``block_bytes`` is the mean size of a block, and ``objects_per_block`` the number of objects that a census finds in
    one. ``collections`` are full garbage collections so far, ``threads`` threads; ``None`` where the part has none.
    """

    pool: Pool
    mib: Array
    block_bytes: float = 100.0
    objects_per_block: float = 0.5
    collections: Array | None = None
    threads: Array | None = None
