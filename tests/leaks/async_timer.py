"""A callback that schedules itself keeps readings in its object: a snapshot while it runs, and one while it waits."""

from __future__ import annotations

import asyncio
import collections
import threading
from collections.abc import Callable


class Reading:
    def __init__(self, number: int) -> None:
        self.values = [f"{number}:{value}" for value in range(20)]


class Meter:
    def __init__(self, snapshot: Callable[[], None], done: asyncio.Event) -> None:
        self.snapshot, self.done = snapshot, done
        self.readings: collections.deque[Reading] = collections.deque()

    def tick(self, *, is_last: bool = False) -> None:
        self.readings.extend(Reading(number) for number in range(2000))
        loop = asyncio.get_running_loop()
        if not is_last:
            self.snapshot()
            loop.call_later(0, self._last_tick)
            return
        loop.call_later(3600, self.tick)
        loop.call_soon(take, self.snapshot, loop, self.done)

    def _last_tick(self) -> None:
        self.tick(is_last=True)


def take(snapshot: Callable[[], None], loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    def run() -> None:
        snapshot()
        loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run).start()


async def main(snapshot: Callable[[], None]) -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0, Meter(snapshot, done).tick)
    await done.wait()
