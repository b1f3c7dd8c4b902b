"""A thread of a pool that stores its results in thread-local data."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Query:
    def __init__(self, number: int) -> None:
        self.sql = f"select * from orders where number = {number}"


LOCAL = threading.local()


def work(number: int) -> None:
    if not hasattr(LOCAL, "history"):
        LOCAL.history = []
    LOCAL.history.append(Query(number))


def main(snapshot: Callable[[], None]) -> None:
    with ThreadPoolExecutor(max_workers=1) as pool:
        list(pool.map(work, range(500)))
        snapshot()
        list(pool.map(work, range(2500)))
        snapshot()
