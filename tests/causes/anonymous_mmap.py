"""Private mappings outside of all allocators."""

import mmap
from collections.abc import Callable

BUFFERS: list[mmap.mmap] = []


def main(step: Callable[[], None]) -> None:
    for _ in range(24):
        buffer = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        buffer.write(b"x" * (1 << 20))
        BUFFERS.append(buffer)
        step()
