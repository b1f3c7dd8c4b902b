"""Peaks of C memory of which a little stays on all pages: malloc can return nothing."""

import ctypes
from collections.abc import Callable

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = LIBC.realloc.restype = ctypes.c_void_p
LIBC.malloc.argtypes = (ctypes.c_size_t,)
LIBC.realloc.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


def main(step: Callable[[], None]) -> None:
    for number in range(24):
        size = 2000 + 2000 * number  # larger than all holes that the peak before left
        chunks = [LIBC.malloc(size) for _ in range(60)]
        for chunk in chunks:
            ctypes.memset(chunk, 1, size)
        for chunk in chunks:
            LIBC.realloc(chunk, 64)
        step()
