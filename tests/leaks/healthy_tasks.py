"""An event loop with a few hundred tasks that end and are replaced, and some reference cycles."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Request:
    def __init__(self, number: int) -> None:
        self.itself = self
        self.body = bytes(1000 + number % 7)


async def handle(request: Request, done: asyncio.Event) -> None:
    await done.wait()
    request.body = b""


async def main(snapshot: Callable[[], None]) -> None:
    for under_way in (300, 280, 330):
        done = asyncio.Event()
        tasks = [asyncio.create_task(handle(Request(number), done)) for number in range(under_way)]
        await asyncio.sleep(0)
        if under_way != 280:
            snapshot()
        done.set()
        await asyncio.gather(*tasks)
