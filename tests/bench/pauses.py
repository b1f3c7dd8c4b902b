"""The longest pause of a thread, and of an asyncio loop, while something else runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

TICK_SECONDS = 0.001


class Ticker:
    """Ticks every millisecond in its own thread, and records the longest time between two ticks."""

    def __init__(self) -> None:
        self._stopped = False
        self._ticked = threading.Event()
        self._longest = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def reset(self) -> None:
        """Reset the longest time."""
        self._await_tick()
        self._longest = 0.0

    def longest_seconds(self) -> float:
        """Return the longest time between two ticks since the reset, the current one included."""
        self._await_tick()
        return self._longest

    def end(self) -> None:
        """End the thread."""
        self._stopped = True
        self._thread.join()

    def _await_tick(self) -> None:
        self._ticked.clear()
        self._ticked.wait()

    def _run(self) -> None:
        ticked_at = time.perf_counter()
        while not self._stopped:
            time.sleep(TICK_SECONDS)
            ticked_at = self._tick(ticked_at)

    def _tick(self, last: float) -> float:
        now = time.perf_counter()
        self._longest = max(self._longest, now - last)
        self._ticked.set()
        return now


class LoopTicker(Ticker):
    """The same on an asyncio loop."""

    def _run(self) -> None:
        asyncio.run(self._tick_on_the_loop())

    async def _tick_on_the_loop(self) -> None:
        ticked_at = time.perf_counter()
        while not self._stopped:
            await asyncio.sleep(TICK_SECONDS)
            ticked_at = self._tick(ticked_at)


@contextmanager
def ticking() -> Iterator[tuple[Ticker, LoopTicker]]:
    """Run a ticking thread and a ticking loop during the block."""
    tickers = Ticker(), LoopTicker()
    try:
        yield tickers
    finally:
        for ticker in tickers:
            ticker.end()
