"""A pool that fills at the start and reuses its buffers; a log that keeps its last lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Buffer:
    def __init__(self) -> None:
        self.data = bytearray(4096)


POOL: list[Buffer] = []
LAST_LINES: deque[str] = deque(maxlen=1000)


def serve(number: int) -> None:
    buffer = POOL.pop() if len(POOL) > 200 else Buffer()
    buffer.data[:] = number.to_bytes(4, "little") * 1024
    LAST_LINES.append(f"request {number} " + "." * (number % 100))
    POOL.append(buffer)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(20_000):
        if number == 5000:
            snapshot()
        serve(number)
    snapshot()
