"""Memory that C code allocates and never frees."""

import ctypes
from collections.abc import Callable

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.malloc.argtypes = (ctypes.c_size_t,)


def main(step: Callable[[], None]) -> None:
    for _ in range(24):
        for _ in range(10):
            ctypes.memset(LIBC.malloc(100_000), 1, 100_000)
        step()
