"""An lru_cache on a method: it keeps every instance that the method was called on."""

from __future__ import annotations

import functools
from collections.abc import Callable


class Report:
    def __init__(self, number: int) -> None:
        self.rows = [number] * 50

    @functools.cache  # noqa: B019 - the leak
    def total(self) -> int:
        return sum(self.rows)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(1000):
        if number == 100:
            snapshot()
        Report(number).total()
    snapshot()
