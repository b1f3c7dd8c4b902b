"""cachetools: a method cached in a plain dict; the key holds the instance."""

from __future__ import annotations

from collections.abc import Callable

import cachetools

CACHE = {}


class Report:
    def __init__(self, number):
        self.rows = list(range(number, number + 60))

    @cachetools.cached(CACHE)
    def total(self):
        return sum(self.rows)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(3000):
        if number == 500:
            snapshot()
        Report(number).total()
    snapshot()
