"""Full caches: each new entry evicts an old one. Their hash tables are still resized."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable


class Page:
    def __init__(self, number: int) -> None:
        self.body = bytes(1000 + number % 3)


PAGES: OrderedDict[int, Page] = OrderedDict()


@functools.lru_cache(maxsize=4000)
def render(number: int) -> bytes:
    return bytes(1000 + number % 3)


def serve(number: int) -> None:
    PAGES[number] = Page(number)
    while len(PAGES) > 2000:
        PAGES.popitem(last=False)
    render(number)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(8000):
        if number == 4500:
            snapshot()
        serve(number)
    snapshot()
