"""cachetools: a full TTLCache."""

from __future__ import annotations

from collections.abc import Callable

import cachetools

CACHE = cachetools.TTLCache(maxsize=1500, ttl=3600)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(6000):
        if number == 2500:
            snapshot()
        CACHE[f"key-{number}"] = {"number": number, "body": "x" * (400 + number % 3)}
    snapshot()
