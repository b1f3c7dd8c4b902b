"""Hands things over on a thread that is there while there is something to hand over, and so never in the way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from heap_exporter.runtime.threads import start_thread

MAX_WAITING = 8
"""Things that wait; a further one takes the place of the oldest."""

Item = TypeVar("Item")


class BackgroundQueue(Generic[Item]):
    """Has ``deliver`` called with one thing after the other, and ``on_dropped`` for each that it is not called with.

    Neither must raise. It belongs to the process that made it: a forked child makes its own. Once stopped it drops
    what comes, until it is told to go on.
    """

    def __init__(self, name: str, deliver: Callable[[Item], None], on_dropped: Callable[[], None]) -> None:
        self.stopping = threading.Event()
        self._name = name
        self._deliver = deliver
        self._on_dropped = on_dropped
        self._lock = threading.Lock()
        self._waiting: deque[Item] = deque()
        self._thread: threading.Thread | None = None

    def post(self, item: Item) -> None:
        """Have a thing delivered soon. Waits for nothing and never raises."""
        with self._lock:
            self._waiting.append(item)
            dropped = self._shed(0 if self.stopping.is_set() else MAX_WAITING)
            if self._waiting and self._thread is None:
                try:
                    self._thread = start_thread(self._name, self._run)
                except RuntimeError:  # the process has as many threads as it may have, or ends
                    dropped += self._shed(0)
        self._drop(dropped)

    def ask_to_stop(self) -> None:
        """Let the delivery under way be the last."""
        self.stopping.set()

    def stop(self, deadline: float) -> None:
        """Wait for the delivery under way, at most until ``deadline`` (monotonic seconds)."""
        self.ask_to_stop()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(deadline - time.monotonic(), 0))

    def resume(self) -> None:
        """Deliver again."""
        self.stopping.clear()

    def _run(self) -> None:
        while True:
            with self._lock:
                dropped = self._shed(0) if self.stopping.is_set() else 0
                found = [self._waiting.popleft()] if self._waiting else []
                if not found:
                    self._thread = None
            self._drop(dropped)
            if not found:
                return
            self._deliver(found[0])

    def _shed(self, most: int) -> int:
        """Let so many wait, the newest; return how many go."""
        surplus = max(len(self._waiting) - most, 0)
        for _ in range(surplus):
            self._waiting.popleft()
        return surplus

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._on_dropped()
