"""Times a walk in this process, and makes it give way."""

from __future__ import annotations

import time

REST_SECONDS = 0.0005
"""How long a walk sleeps to let others in; a sleep of nothing would seldom let a waiting thread in."""


class WalkClock:
    """Times a walk: its whole, its processor time, and the longest stretch without offering the GIL."""

    def __init__(self) -> None:
        self.wall_started_at = time.time()
        self.longest_pause = 0.0
        self._started = time.perf_counter()
        self._cpu_started = self._cpu_resumed = time.thread_time()

    def rest(self) -> None:
        """Offer the GIL to others."""
        # Processor time, since wall time would count the turns of threads that took the GIL in between.
        self.longest_pause = max(self.longest_pause, time.thread_time() - self._cpu_resumed)
        time.sleep(REST_SECONDS)
        self._cpu_resumed = time.thread_time()

    @property
    def duration_seconds(self) -> float:
        """Return how long the walk has taken so far."""
        return time.perf_counter() - self._started

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time that the walk has taken so far."""
        return time.thread_time() - self._cpu_started
