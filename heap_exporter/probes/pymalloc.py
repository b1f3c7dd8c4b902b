"""What the interpreter's own allocator (pymalloc) holds: objects of up to 512 bytes, in arenas that it maps itself.

No figure of malloc or of the kernel shows it. The interpreter tells it as a text for debugging only, through a
function that is exported, though not documented: of CPython 3.10 to 3.13 at least.
"""

from __future__ import annotations

import ctypes
import re
import time
from functools import cache

from heap_exporter.errors import SourceMissing
from heap_exporter.model import Malloc

REST_FACTOR = 1000.0
"""How many times the processor time of a reading there is none after it. It takes 3 ms a GB, with the GIL held."""

_ARENAS = re.compile(rb"arenas \* \d+ bytes/arena\s*=\s*([\d,]+)")
_ALLOCATED = re.compile(rb"# bytes in allocated blocks\s*=\s*([\d,]+)")


class PymallocReader:
    """Reads what pymalloc holds, and gives the last reading again while one more would cost too much."""

    def __init__(self) -> None:
        self._last: Malloc | None = None
        self._rests_until = 0.0

    def read(self) -> Malloc:
        """Return the bytes in allocated blocks, and those of the arenas beside them.

        Raises :class:`SourceMissing` where the interpreter does not tell: no pymalloc, or no C stream in memory.
        """
        if self._last is None or time.monotonic() >= self._rests_until:
            began = time.thread_time()
            self._last = read_pymalloc()
            self._rests_until = time.monotonic() + REST_FACTOR * (time.thread_time() - began)
        return self._last


def read_pymalloc() -> Malloc:
    """Return the bytes in allocated blocks, and those of the arenas beside them. Raises :class:`SourceMissing`."""
    text = _statistics()
    arenas, allocated = _ARENAS.search(text), _ALLOCATED.search(text)
    if arenas is None or allocated is None:
        raise SourceMissing("the interpreter's own allocator tells nothing (PYTHONMALLOC, or a build without it)")
    used = _number(allocated)
    return Malloc(used_bytes=used, retained_bytes=_number(arenas) - used)


def _number(found: re.Match[bytes]) -> int:
    return int(found[1].replace(b",", b""))


def _statistics() -> bytes:
    """Return what ``sys._debugmallocstats()`` would print, which goes to the process's stderr."""
    library, write_statistics = _functions()
    buffer, length = ctypes.c_void_p(), ctypes.c_size_t()
    stream = library.open_memstream(ctypes.byref(buffer), ctypes.byref(length))
    if not stream:
        raise SourceMissing("no figures of the interpreter's allocator: no memory for its text")
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
    try:
        library = ctypes.CDLL(None)
        library.open_memstream.restype = ctypes.c_void_p
        library.open_memstream.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t))
        library.fclose.argtypes = library.free.argtypes = (ctypes.c_void_p,)
        write_statistics = ctypes.pythonapi._PyObject_DebugMallocStats
    except (AttributeError, OSError, TypeError):
        raise SourceMissing("the interpreter or the C library cannot tell what pymalloc holds") from None
    write_statistics.argtypes = (ctypes.c_void_p,)
    return library, write_statistics
