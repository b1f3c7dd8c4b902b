"""Threads that never end, each with its own stack."""

import threading
from collections.abc import Callable

ENDS = threading.Event()


def main(step: Callable[[], None]) -> None:
    threading.stack_size(256 << 10)
    for _ in range(24):
        for _ in range(20):
            threading.Thread(target=_wait, args=(200,), daemon=True).start()
        step()


def _wait(depth: int) -> None:
    if depth:
        list(map(_wait, (depth - 1,)))  # recursion through C uses the stack
    else:
        ENDS.wait()
