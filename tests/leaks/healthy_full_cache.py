"""Caches that are full: what comes in throws out what was there."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable


class Page:
    def __init__(self, number: int) -> None:
        self.body = bytes(1000 + number % 3)


PAGES: OrderedDict[int, Page] = OrderedDict()


@functools.lru_cache(maxsize=500)
def render(number: int) -> bytes:
    return bytes(1000 + number % 3)


def serve(number: int) -> None:
    PAGES[number] = Page(number)
    while len(PAGES) > 500:
        PAGES.popitem(last=False)
    render(number)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(5000):
        if number == 2000:
            snapshot()
        serve(number)
    snapshot()
