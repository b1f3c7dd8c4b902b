"""Peaks of small objects of which one in a hundred stays: no arena becomes empty, none is given back."""

from collections.abc import Callable

KEPT: list[bytes] = []


def main(step: Callable[[], None]) -> None:
    for number in range(24):
        size = 24 + 16 * number  # blocks of another size class cannot use what the peak before left
        peak = [bytes(size) for _ in range(2_000_000 // size)]
        KEPT.extend(peak[::32])
        del peak
        step()
