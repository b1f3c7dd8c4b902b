"""Tasks in a variable of the coroutine that starts them; this coroutine waits during the snapshot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from tests.leaks.tasks import Request, handle

PATIENCE_SECONDS = 60


async def main(snapshot: Callable[[], None]) -> None:
    never, waiting = asyncio.Event(), set()
    for number in range(1500):
        if number == 100:
            await looked_at(snapshot)
        waiting.add(asyncio.create_task(handle(Request(number), never)))
    await looked_at(snapshot)


async def looked_at(snapshot: Callable[[], None]) -> None:
    waits = threading.Event()

    def look() -> None:
        waits.wait(PATIENCE_SECONDS)
        snapshot()

    await asyncio.sleep(0)  # until all tasks wait
    asyncio.get_running_loop().call_later(0, waits.set)  # it runs once everything that starts here waits too
    await asyncio.wait_for(asyncio.to_thread(look), PATIENCE_SECONDS)
