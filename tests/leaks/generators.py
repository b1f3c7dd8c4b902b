"""Generators that are started, stored, and never finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator


class Row:
    def __init__(self, number: int) -> None:
        self.values = [number] * 30


def rows(number: int) -> Iterator[int]:
    first, second = Row(number), Row(-number)
    yield from first.values
    yield from second.values


OPEN: list[Iterator[int]] = []


def main(snapshot: Callable[[], None]) -> None:
    for number in range(1200):
        if number == 100:
            snapshot()
        cursor = rows(number)
        next(cursor)
        OPEN.append(cursor)
    snapshot()
