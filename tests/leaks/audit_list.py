"""A list at a module to which every request appends."""

from __future__ import annotations

from collections.abc import Callable


class Entry:
    def __init__(self, number: int) -> None:
        self.text = f"request {number} was served"


AUDIT: list[Entry] = []


def serve(number: int) -> None:
    AUDIT.append(Entry(number))


def main(snapshot: Callable[[], None]) -> None:
    for number in range(3000):
        if number == 500:
            snapshot()
        serve(number)
    snapshot()
