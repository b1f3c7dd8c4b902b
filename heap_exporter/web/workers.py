"""The few threads that answer whole requests."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from contextlib import suppress
from queue import SimpleQueue

from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import start_thread
from heap_exporter.web.connection import Connection

WORKERS = 4
"""One for a snapshot, one for a download, and two for everybody else."""


class Workers:
    """Threads that answer ``jobs``, one at a time each, and put them into ``answered``; the job ``None`` ends them all.

    A byte into ``waker`` tells each answer. They refer to no server: that would be a cycle, for the host's collector.
    """

    def __init__(self, jobs: SimpleQueue[Connection | None], answered: deque[Connection], waker: socket.socket) -> None:
        self._jobs = jobs
        self._answered = answered
        self._waker = waker
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
        self._answered.append(connection)
        with suppress(OSError):
            self._waker.send(b"\0")
        return True
