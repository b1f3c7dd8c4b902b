"""Reads pymalloc, the allocator of the interpreter for objects of up to 512 bytes, in arenas that it maps itself.

Neither malloc nor the kernel reports it. CPython 3.10 to 3.13 and later write it as a text for debugging, through a
function that is exported but not documented.
"""

from __future__ import annotations

import ctypes
import re
import time
from functools import cache

from heap_exporter.errors import SourceMissing
from heap_exporter.model import AllocatorMemory

PAUSE_FACTOR = 1000.0
"""Pause after a reading, as a multiple of its processor time: 3 ms for each GB, with the GIL held."""

_ARENAS = re.compile(rb"arenas \* \d+ bytes/arena\s*=\s*([\d,]+)")
_ALLOCATED = re.compile(rb"# bytes in allocated blocks\s*=\s*([\d,]+)")


class PymallocReader:
    """Reads pymalloc in this process; returns the last reading again while another one would cost too much.

    It does so, too, while allocations are sampled: the interpreter reports nothing while hooks precede pymalloc.
    """

    def __init__(self) -> None:
        self._last: AllocatorMemory | None = None
        self._next_at = 0.0

    def read(self) -> AllocatorMemory:
        """Return the bytes in allocated blocks of pymalloc, and the other bytes of its arenas.

        Raises :class:`SourceMissing` without pymalloc, or without in-memory C streams.
        """
        if self._last is None or time.monotonic() >= self._next_at:
            began = time.thread_time()
            try:
                self._last = read_pymalloc()
            except SourceMissing:
                if self._last is None:
                    raise
            self._next_at = time.monotonic() + PAUSE_FACTOR * (time.thread_time() - began)
        return self._last


def read_pymalloc() -> AllocatorMemory:
    """Return the bytes in allocated blocks of pymalloc, and the others of its arenas. Raises :class:`SourceMissing`."""
    text = _statistics()
    arenas, allocated = _ARENAS.search(text), _ALLOCATED.search(text)
    if arenas is None or allocated is None:
        raise SourceMissing("pymalloc is not in use (PYTHONMALLOC is set, or Python was built without pymalloc)")
    used = _number(allocated)
    return AllocatorMemory(used_bytes=used, retained_bytes=_number(arenas) - used)


def _number(found: re.Match[bytes]) -> int:
    """Return a number of pymalloc's report, which may have commas."""
    return int(found[1].replace(b",", b""))


def _statistics() -> bytes:
    """Return pymalloc's report, as ``sys._debugmallocstats()`` prints it, without writing it to stderr."""
    library, write_statistics = _functions()
    buffer, length = ctypes.c_void_p(), ctypes.c_size_t()
    stream = library.open_memstream(ctypes.byref(buffer), ctypes.byref(length))
    if not stream:
        raise SourceMissing("there is not enough memory to read the report of pymalloc")
    try:
        write_statistics(stream)
    finally:
        library.fclose(stream)
    try:
        return ctypes.string_at(buffer.value or 0, length.value) if length.value else b""
    finally:
        library.free(buffer)


@cache
def _functions() -> tuple[ctypes.CDLL, ctypes._NamedFuncPointer]:
    """Return the C library, and the function of the interpreter that writes the report of pymalloc."""
    try:
        library = ctypes.CDLL(None)
        library.open_memstream.restype = ctypes.c_void_p
        library.open_memstream.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t))
        library.fclose.argtypes = library.free.argtypes = (ctypes.c_void_p,)
        write_statistics = ctypes.pythonapi._PyObject_DebugMallocStats
    except (AttributeError, OSError, TypeError):
        raise SourceMissing("the interpreter or the C library has no function to read pymalloc") from None
    write_statistics.argtypes = (ctypes.c_void_p,)
    return library, write_statistics
