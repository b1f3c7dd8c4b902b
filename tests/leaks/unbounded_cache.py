"""A cache class with a limit that is never checked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable


class Page:
    __slots__ = ("body",)

    def __init__(self, url: str) -> None:
        self.body = url * 10


class Cache:
    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.entries: OrderedDict[str, Page] = OrderedDict()

    def get(self, url: str) -> Page:
        if url not in self.entries:
            self.entries[url] = Page(url)
        return self.entries[url]


CACHE = Cache(limit=100)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(2000):
        if number == 300:
            snapshot()
        CACHE.get(f"/products/{number}")
    snapshot()
