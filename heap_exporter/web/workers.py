"""The few threads that answer whole requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from heap_exporter.logs import log
from heap_exporter.threads import start_thread
from heap_exporter.web.connection import Connection

WORKERS = 4
"""One for a snapshot, one for a download, and two for everybody else."""


class Workers:
    """Threads that answer the ``jobs``, one each, and hand them to ``take_back``; ``None`` among the jobs ends them."""

    def __init__(self, jobs: SimpleQueue[Connection | None], take_back: Callable[[Connection], None]) -> None:
        self._jobs = jobs
        self._take_back = take_back
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        self._threads = [start_thread(f"http-{number + 1}", self._work) for number in range(WORKERS)]

    def join(self, deadline: float) -> None:
        """Wait until they have ended, at the latest until ``deadline`` (monotonic seconds)."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(deadline - time.monotonic(), 0.0))

    def _work(self) -> None:
        """Answer requests until told to stop; the body of a worker thread."""
        while self._answer_next():
            pass

    def _answer_next(self) -> bool:
        """Wait for a request and answer it. Return False when told to stop."""
        connection = self._jobs.get()
        if connection is None:
            self._jobs.put(None)  # for the next worker
            return False
        keep = False
        try:
            keep = connection.answer()
        except BaseException:  # whatever it is, this thread is needed for the next request
            log.exception("heap-exporter failed to answer a request")
        connection.lingering = not keep
        self._take_back(connection)
        return True
