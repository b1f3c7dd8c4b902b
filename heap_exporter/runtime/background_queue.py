"""Delivers items on a background thread, which runs only while items wait."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from heap_exporter.runtime.threads import start_thread

MAX_WAITING = 8
"""Items that wait, at most; one more replaces the oldest."""

Item = TypeVar("Item")


class BackgroundQueue(Generic[Item]):
    """Calls ``deliver`` with one item after the other, and ``on_dropped`` for each item that it drops.

    Neither must raise. A queue belongs to the process that created it: a forked child creates its own. A stopped queue
    drops new items until :meth:`resume`.
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
        """Add an item of any type for the background thread. Returns at once and never raises."""
        with self._lock:
            self._waiting.append(item)
            dropped = self._drop_oldest(0 if self.stopping.is_set() else MAX_WAITING)
            if self._waiting and self._thread is None:
                try:
                    self._thread = start_thread(self._name, self._run)
                except RuntimeError:  # the process has reached its limit of threads, or is ending
                    dropped += self._drop_oldest(0)
        self._count_dropped(dropped)

    def request_stop(self) -> None:
        """Have the background thread deliver no more items after the current one."""
        self.stopping.set()

    def stop(self, deadline: float) -> None:
        """Wait for the background thread's current delivery, at most until ``deadline`` (monotonic seconds)."""
        self.request_stop()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(deadline - time.monotonic(), 0))

    def resume(self) -> None:
        """Have the background thread deliver new items again."""
        self.stopping.clear()

    def _run(self) -> None:
        while True:
            with self._lock:
                dropped = self._drop_oldest(0) if self.stopping.is_set() else 0
                found = [self._waiting.popleft()] if self._waiting else []
                if not found:
                    self._thread = None
            self._count_dropped(dropped)
            if not found:
                return
            self._deliver(found[0])

    def _drop_oldest(self, max_waiting: int) -> int:
        """Remove the oldest items above ``max_waiting``; return how many."""
        excess = max(len(self._waiting) - max_waiting, 0)
        for _ in range(excess):
            self._waiting.popleft()
        return excess

    def _count_dropped(self, count: int) -> None:
        for _ in range(count):
            self._on_dropped()
