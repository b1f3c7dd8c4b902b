"""Strings in a list while the garbage collector is off: it could not free them."""

import gc
from collections.abc import Callable

LINES: list[str] = []


def main(step: Callable[[], None]) -> None:
    gc.disable()
    for number in range(24):
        LINES.extend(f"line {number}/{index}" for index in range(10_000))
        step()
