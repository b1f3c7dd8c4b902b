"""Cycles that no collection frees, because its threshold is too high."""

import gc
from collections.abc import Callable


def main(step: Callable[[], None]) -> None:
    gc.set_threshold(100_000_000)
    for _ in range(24):
        for _ in range(20_000):
            cycle: list[object] = []
            cycle.append(cycle)
        step()
