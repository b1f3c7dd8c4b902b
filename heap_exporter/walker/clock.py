"""Times a heap walk in this process, and releases the GIL during it."""

from __future__ import annotations

import time

GIL_RELEASE_SECONDS = 0.0005
"""How long a walk sleeps to release the GIL; after a sleep of 0 a waiting thread seldom gets it."""


class WalkClock:
    """Measures the duration of a walk, its processor time, and the longest time between two releases of the GIL."""

    def __init__(self) -> None:
        self.wall_started_at = time.time()
        self.longest_pause = 0.0
        self._started = time.perf_counter()
        self._cpu_started = self._cpu_resumed = time.thread_time()

    def release_gil(self) -> None:
        """Let other threads take the GIL during the heap walk."""
        # Processor time: wall time would include the threads that took the GIL in between.
        self.longest_pause = max(self.longest_pause, time.thread_time() - self._cpu_resumed)
        time.sleep(GIL_RELEASE_SECONDS)
        self._cpu_resumed = time.thread_time()

    @property
    def duration_seconds(self) -> float:
        """Return the time since the start of the heap walk."""
        return time.perf_counter() - self._started

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time since the start of the heap walk."""
        return time.thread_time() - self._cpu_started
