"""The bounded pool of threads that answer requests."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from contextlib import suppress
from queue import SimpleQueue

from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import start_thread
from heap_exporter.web.connection import Connection, ConnectionState
from heap_exporter.web.wsgi import Site

WORKERS = 4
"""One for a snapshot, three for all other requests."""

TURN_SECONDS = 0.05
"""How long a worker sends one long answer while other requests wait."""


class RequestWorkers:
    """Threads that answer HTTP requests, first come, first served.

    They leave each connection in ``done`` with its next state, and send a byte into ``waker``. They have no reference
    to the server: the cycle would be left to the garbage collector of the application.
    """

    def __init__(self, site: Site, waker: socket.socket) -> None:
        self.done: deque[tuple[Connection, ConnectionState]] = deque()
        self._site = site
        self._waker = waker
        self._queue: SimpleQueue[Connection | None] = SimpleQueue()
        self._waiting: set[Connection] = set()
        self._threads: list[threading.Thread] = []

    @property
    def waiting(self) -> int:
        """Return the number of HTTP connections that wait for a worker."""
        return len(self._waiting)

    def start(self) -> None:
        """Start the threads that answer HTTP requests."""
        self._threads = [start_thread(f"http-{number + 1}", self._work) for number in range(WORKERS)]

    def stop(self) -> None:
        """Let each thread end after its current HTTP answer."""
        self._waiting.clear()
        self._queue.put(None)

    def join(self, deadline: float) -> None:
        """Wait until the HTTP threads have ended, at the latest until ``deadline`` (monotonic seconds)."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(deadline - time.monotonic(), 0.0))

    def put(self, connection: Connection) -> None:
        """Queue a connection whose HTTP request is to be answered, or its answer continued."""
        self._waiting.add(connection)
        self._queue.put(connection)

    def take(self, connection: Connection) -> bool:
        """Take an HTTP connection from the queue. Return False if a worker already has it."""
        try:
            self._waiting.remove(connection)  # atomic, unlike a test and a removal
        except KeyError:
            return False
        return True

    def _work(self) -> None:
        while self._answer_next():
            pass
        self._queue.put(None)  # for the next thread

    def _answer_next(self) -> bool:
        """Answer the next HTTP connection. Return False at the stop."""
        connection = self._queue.get()
        if connection is None:
            return False
        if not self.take(connection):
            return True
        state = self._answer(connection)
        if state is ConnectionState.ANSWERING:
            self.put(connection)
        else:
            self.done.append((connection, state))
            with suppress(OSError):
                self._waker.send(b"\0")
        return True

    def _answer(self, connection: Connection) -> ConnectionState:
        """Send an HTTP answer until the client must read, or until another request has waited for a turn."""
        turn_end = time.monotonic() + TURN_SECONDS
        try:
            while (state := connection.send(self._site)) is ConnectionState.ANSWERING:
                if self._waiting and time.monotonic() > turn_end:
                    break
        except BaseException:  # whatever it is, this thread is needed for the next request
            log.exception("heap-exporter failed to answer an HTTP request")
            return ConnectionState.LINGERING
        return state
