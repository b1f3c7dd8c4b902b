"""Requests in flight in threads and in a table, in varying numbers."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Request:
    def __init__(self, number: int) -> None:
        self.body = bytes(20_000 + number % 5)


UNDER_WAY: dict[int, Request] = {}


def serve(number: int) -> int:
    request = Request(number)
    UNDER_WAY[number] = request
    if len(UNDER_WAY) > 60 + random.randint(-10, 10):
        for done in sorted(UNDER_WAY)[:10]:
            UNDER_WAY.pop(done, None)
    return len(request.body)


def main(snapshot: Callable[[], None]) -> None:
    random.seed(20261122)
    with ThreadPoolExecutor(max_workers=4) as pool:
        for _ in range(2):
            sum(pool.map(serve, range(3000)))
            snapshot()
