"""Tasks that start with each request and wait for an answer that does not come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Request:
    def __init__(self, number: int) -> None:
        self.body = bytes(500 + number % 7)


WAITING: set[asyncio.Task[None]] = set()


async def handle(request: Request, answer: asyncio.Event) -> None:
    await answer.wait()
    request.body = b""


async def main(snapshot: Callable[[], None]) -> None:
    never = asyncio.Event()
    for number in range(1500):
        if number == 100:
            await asyncio.sleep(0)
            snapshot()
        WAITING.add(asyncio.create_task(handle(Request(number), never)))
    await asyncio.sleep(0)
    snapshot()
