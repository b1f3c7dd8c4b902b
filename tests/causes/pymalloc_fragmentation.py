"""Peaks of small objects of which a few stay: no arena becomes empty, so pymalloc returns none."""

from collections.abc import Callable

KEPT: list[bytes] = []


def main(step: Callable[[], None]) -> None:
    for number in range(24):
        size = 24 + 16 * number  # another size class, which cannot use the free blocks of the peak before
        peak = [bytes(size) for _ in range(2_000_000 // size)]
        KEPT.extend(peak[::32])
        del peak
        step()
