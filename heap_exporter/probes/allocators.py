"""Reads the two allocators of the process: the blocks of the interpreter, and the bytes of malloc in the C library."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache

from heap_exporter.errors import SourceMissing
from heap_exporter.model import AllocatorMemory
from heap_exporter.runtime.python_bugs import keeps_interned_strings


def read_allocated_blocks() -> int:
    """Return the number of memory blocks that the interpreter of this process has allocated.

    Raises :class:`SourceMissing` under ``PYTHONMALLOC=malloc``: the interpreter does not count blocks and returns 0.
    """
    blocks = sys.getallocatedblocks()
    if blocks == 0:
        raise SourceMissing(
            "the interpreter does not count memory blocks (PYTHONMALLOC=malloc, or Python has no pymalloc)"
        )
    return blocks


def read_interned_strings(version: Sequence[object] = sys.version_info) -> int | None:
    """Return the number of strings that the interpreter has interned, ``None`` if its version frees them again."""
    return sys.getunicodeinternedsize() if keeps_interned_strings(version) else None  # type: ignore[attr-defined]  # new in 3.12


def read_malloc() -> AllocatorMemory:
    """Return the bytes of malloc in all arenas of the process, from ``mallinfo2`` of glibc 2.33 and newer.

    Takes microseconds as a rule, but milliseconds with hundreds of thousands of free chunks, under the locks of the
    arenas and without the GIL. Raises :class:`SourceMissing` with another C library.
    """
    info = _mallinfo2()()
    return AllocatorMemory(used_bytes=info.uordblks + info.hblkhd, retained_bytes=info.fordblks)


class _MallInfo2(ctypes.Structure):
    """``struct mallinfo2`` of mallinfo(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip  # the struct's own order, on one line


@cache
def _mallinfo2() -> ctypes._NamedFuncPointer:
    """Return ``mallinfo2`` of the process's C library."""
    try:
        function = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        raise SourceMissing("the C library has no mallinfo2 (musl, macOS, or glibc before 2.33)") from None
    function.argtypes = ()
    function.restype = _MallInfo2
    return function
