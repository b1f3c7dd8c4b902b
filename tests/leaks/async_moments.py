"""A task that never ends keeps rows in a local variable of a coroutine that it awaits.

One snapshot is taken while the event loop is idle, the next one while this coroutine runs, and so on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable


class Row:
    def __init__(self, number: int) -> None:
        self.columns = [f"{number}-{column}" for column in range(20)]


class Importer:
    def __init__(self) -> None:
        self.asked: asyncio.Queue[int] = asyncio.Queue()
        self.busy: tuple[threading.Event, threading.Event] | None = None

    async def run(self) -> None:
        await self.collect()

    async def numbers(self) -> AsyncIterator[int]:
        while True:
            yield await self.asked.get()

    async def collect(self) -> None:
        rows: dict[int, Row] = {}
        async for number in self.numbers():
            rows[number] = Row(number)
            if self.busy:
                begun, done = self.busy
                begun.set()
                while not done.is_set():
                    number += 0  # noqa: PLW2901  # this frame runs, none above it
                self.busy = None


async def main(snapshot: Callable[[], None]) -> None:
    importer = Importer()
    task = asyncio.create_task(importer.run())
    for moment in range(4):
        for number in range(2000):
            importer.asked.put_nowait(2000 * moment + number)
        await asyncio.sleep(0)
        while importer.asked.qsize():  # noqa: ASYNC110  # it must not wait: the importer would not be idle
            await asyncio.sleep(0)
        if moment % 2:
            await while_running(importer, snapshot)
        else:
            await asyncio.to_thread(snapshot)
    task.cancel()


async def while_running(importer: Importer, snapshot: Callable[[], None]) -> None:
    begun, done = threading.Event(), threading.Event()

    def take() -> None:
        begun.wait()
        snapshot()
        done.set()

    taker = threading.Thread(target=take)
    taker.start()
    importer.busy = (begun, done)
    importer.asked.put_nowait(-1)
    while importer.busy:  # noqa: ASYNC110  # as above
        await asyncio.sleep(0)
    taker.join()
