"""The HTTP server: one loop collects whole requests, a bounded pool of threads answers them.

A client costs a thread only while the application makes a piece of its answer. Slow, silent and hostile clients cost a
descriptor for some seconds.
"""

from __future__ import annotations

import math
import os
import selectors
import socket
import threading
import time
from contextlib import ExitStack, suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from heap_exporter.errors import PortTaken, SettingsError
from heap_exporter.runtime.error_boundary import LOG_INTERVAL_SECONDS
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import start_thread
from heap_exporter.runtime.urls import reachable
from heap_exporter.web.connection import Connection, ConnectionState
from heap_exporter.web.listener import listen
from heap_exporter.web.workers import RequestWorkers
from heap_exporter.web.wsgi import CONTINUE, HEAD_BYTES, Site, head_size, refusal, request_size, waits_for_continue

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

MAX_CONNECTIONS = 64
"""Descriptors that clients may cost the application; further clients wait in the kernel."""

BACKLOG = 1024
"""Clients that wait in the kernel."""

PORT_RETRY_SECONDS = 5.0
"""Time between two tries to listen on a port that another process uses."""

PROTECTED_SECONDS = 0.1
"""How long a client keeps its place while it neither sends nor reads, though others wait for a place."""

REQUEST_SECONDS = 5.0
"""How long a client may take to send a request, from its first byte on."""

QUEUE_SECONDS = 5.0
"""How long a request may wait for a worker; after that it is answered 503."""

STALL_SECONDS = 30.0
"""How long a client may stop reading its answer."""

KEEP_ALIVE_SECONDS = 90.0
"""How long a connection may be silent between requests: longer than usual scrape intervals."""

LINGER_SECONDS = 2.0
"""How long a client may take to close after its last answer; closing earlier can destroy an answer on its way."""

CROWD_PAUSE_SECONDS = 0.002
"""Pause before a new client is accepted while requests wait: the application needs the interpreter too."""

FULL_PAUSE_SECONDS = 0.01
"""Pause while no client can be accepted."""

ACCEPT_PAUSE_SECONDS = 0.2
"""Pause after a failed accept: without a free descriptor the listener stays readable, and the loop would spin."""

STOP_GRACE_SECONDS = 0.7
STOP_SECONDS = 1.5


class HttpServer:
    """Serves the WSGI ``application`` on ``host:port``, bound at once; ``port`` 0 takes a free one.

    While another process uses the port, the server listens on a free one; it tries the port again every
    :data:`PORT_RETRY_SECONDS`, and then listens on both, because clients may use the free one. Raises
    :class:`~heap_exporter.errors.SettingsError` on an address that cannot be listened on, and with ``strict``
    :class:`~heap_exporter.errors.PortTaken`.
    """

    def __init__(self, application: WSGIApplication, host: str, port: int, *, strict: bool = False) -> None:
        host = host.removeprefix("[").removesuffix("]")
        self._next_port_try_at = math.inf
        with ExitStack() as opened:
            try:
                listener = opened.enter_context(listen(host, port, BACKLOG))
            except PortTaken:
                if strict:
                    raise
                listener = opened.enter_context(listen(host, 0, BACKLOG))
                self._next_port_try_at = time.monotonic() + PORT_RETRY_SECONDS
            self._listeners = [listener]
            self.host, self.port = listener.getsockname()[:2]
            self._wanted = self.host, port
            self._waker, self._woken = map(opened.enter_context, socket.socketpair())
            self._waker.setblocking(False)
            self._woken.setblocking(False)
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._selector.register(self._woken, selectors.EVENT_READ, self._take_back)
            self._selector.register(listener, selectors.EVENT_READ, partial(self._accept, listener))
            opened.pop_all()
        self._connections: set[Connection] = set()
        self._workers = RequestWorkers(Site(application, self.host, self.port), self._waker)
        self._loop: threading.Thread | None = None
        self._next_warning_at = 0.0
        self._stopping = False

    @property
    def is_port_taken(self) -> bool:
        """Return whether another process uses the wanted port, and the HTTP server listens on another one."""
        return self._next_port_try_at < math.inf

    @property
    def url(self) -> str:
        """Return the address of the status page."""
        host = reachable(self.host)
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"

    def start(self) -> None:
        """Serve HTTP requests, on threads of the server's own, until :meth:`stop`."""
        # The loop must not start them: the interpreter refuses new threads, with a message, once the program ends.
        self._workers.start()
        self._loop = start_thread("http", self._serve)

    def stop(self) -> None:
        """Close threads and sockets within two seconds; HTTP requests that are being answered may still end."""
        if self._stopping:
            return
        self._stopping = True
        now = time.monotonic()
        with suppress(OSError):
            self._waker.send(b"\0")
        if self._loop:
            self._loop.join(STOP_SECONDS)
        for listener in self._listeners:
            listener.close()
        self._workers.stop()
        self._workers.join(now + STOP_GRACE_SECONDS)
        for connection in list(self._connections):
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        self._workers.join(now + STOP_SECONDS)
        for connection in list(self._connections):
            connection.close()
        for end in (self._selector, self._waker, self._woken):
            end.close()

    def abandon(self) -> None:
        """Close the HTTP server's inherited descriptors in a forked child, and nothing else.

        Nothing is shut down: the parent uses the connections and the listeners. No lock is taken: a thread that does
        not exist in the child may hold it for ever.
        """
        self._stopping = True
        sockets = (connection.socket for connection in self._connections)
        for inherited in (*self._listeners, self._waker, self._woken, *sockets):
            with suppress(OSError):
                os.close(inherited.detach())
        self._selector.close()

    def _serve(self) -> None:
        """Run the HTTP server's loop until the stop; the body of its thread."""
        while not self._stopping:
            try:
                self._turn()
            except Exception:
                if self._stopping:
                    break
                log.exception(
                    "heap-exporter's HTTP server encountered an unexpected error and continues to serve requests"
                )
                time.sleep(ACCEPT_PAUSE_SECONDS)

    def _turn(self) -> None:
        """Wait for an event on the HTTP connections, and handle all that have come."""
        for key, _ in self._selector.select(self._seconds_to_next_deadline()):
            if not isinstance(key.data, Connection):
                key.data()
            elif key.data in self._connections:  # not closed in this same turn for a new client
                self._continue(key.data)
        self._expire()
        if time.monotonic() >= self._next_port_try_at:
            self._try_port()

    def _try_port(self) -> None:
        """Listen on the wanted port too, if the other process has released it."""
        self._next_port_try_at = time.monotonic() + PORT_RETRY_SECONDS
        with suppress(OSError, SettingsError):
            listener = listen(*self._wanted, BACKLOG)
            self._listeners.append(listener)
            self._selector.register(listener, selectors.EVENT_READ, partial(self._accept, listener))
            self._next_port_try_at, self.port = math.inf, self._wanted[1]
            log.info("heap-exporter in process %d is now also listening on %s", os.getpid(), self.url)

    def _accept(self, listener: socket.socket) -> None:
        if self._workers.waiting:
            time.sleep(CROWD_PAUSE_SECONDS)
        if len(self._connections) >= MAX_CONNECTIONS:
            replaced = self._replaceable()
            if replaced is None:
                time.sleep(FULL_PAUSE_SECONDS)
                return
            self._close(replaced)
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            self._warn(error)
            time.sleep(ACCEPT_PAUSE_SECONDS)
            return
        client.setblocking(False)
        connection = Connection(client, address)
        self._connections.add(connection)
        self._watch(connection, ConnectionState.RECEIVING, REQUEST_SECONDS, PROTECTED_SECONDS)

    def _warn(self, error: OSError) -> None:
        if time.monotonic() >= self._next_warning_at:
            self._next_warning_at = time.monotonic() + LOG_INTERVAL_SECONDS
            log.warning("heap-exporter's HTTP server cannot accept a connection: %s", error.strerror)

    def _replaceable(self) -> Connection | None:
        """Return the HTTP connection to close for a new client: of the unprotected ones, the next to expire."""
        now = time.monotonic()
        unprotected = (connection for connection in self._connections if connection.protected_until <= now)
        return min(unprotected, key=lambda connection: connection.deadline, default=None)

    def _continue(self, connection: Connection) -> None:
        """Receive from, or queue for its answer, an HTTP connection whose socket is ready."""
        if connection.state is ConnectionState.STALLED:
            self._queue(connection, math.inf)
            return
        is_first = not connection.received
        try:
            came = connection.receive()
        except OSError:
            came = False
        if not came:
            self._close(connection)
        elif connection.state is ConnectionState.RECEIVING:
            if is_first:
                now = time.monotonic()
                connection.deadline, connection.protected_until = now + REQUEST_SECONDS, now + PROTECTED_SECONDS
            self._answer_if_whole(connection)

    def _answer_if_whole(self, connection: Connection) -> None:
        if request_size(connection.received):
            self._queue(connection, time.monotonic() + QUEUE_SECONDS)
        elif len(connection.received) >= HEAD_BYTES and not head_size(connection.received):
            detail = f"the request line and the headers are longer than {HEAD_BYTES >> 10} KiB"
            self._refuse(connection, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
        elif waits_for_continue(connection.received):
            with suppress(OSError):
                connection.socket.send(CONTINUE)

    def _queue(self, connection: Connection, deadline: float) -> None:
        self._selector.unregister(connection.socket)
        connection.state = ConnectionState.ANSWERING
        connection.deadline, connection.protected_until = deadline, math.inf
        self._workers.put(connection)

    def _take_back(self) -> None:
        """Watch the HTTP connections that need no worker any more."""
        with suppress(BlockingIOError):
            self._woken.recv(4096)
        while self._workers.done:
            connection, state = self._workers.done.popleft()
            if state is ConnectionState.LINGERING:
                self._linger(connection)
            elif state is ConnectionState.STALLED:
                self._watch(connection, state, STALL_SECONDS, PROTECTED_SECONDS)
            else:
                self._watch(connection, state, REQUEST_SECONDS if connection.received else KEEP_ALIVE_SECONDS)
                self._answer_if_whole(connection)

    def _refuse(self, connection: Connection, status: HTTPStatus, detail: str) -> None:
        with suppress(OSError):
            connection.socket.send(refusal(status, detail))
        self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        """Send the end of the HTTP connection, and wait briefly for the client to close it."""
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
        else:
            self._watch(connection, ConnectionState.LINGERING, LINGER_SECONDS)

    def _watch(
        self, connection: Connection, state: ConnectionState, seconds: float, protected_seconds: float = 0.0
    ) -> None:
        now = time.monotonic()
        connection.state = state
        connection.deadline, connection.protected_until = now + seconds, now + protected_seconds
        self._unwatch(connection)
        event = selectors.EVENT_WRITE if state is ConnectionState.STALLED else selectors.EVENT_READ
        self._selector.register(connection.socket, event, connection)

    def _unwatch(self, connection: Connection) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)

    def _expire(self) -> None:
        now = time.monotonic()
        for connection in [connection for connection in self._connections if connection.deadline <= now]:
            if connection.state is ConnectionState.ANSWERING:
                connection.deadline = math.inf
                if self._workers.take(connection):
                    self._refuse_or_continue(connection)
            elif connection.state is ConnectionState.RECEIVING and connection.received:
                detail = f"the request did not arrive completely within {REQUEST_SECONDS:g} s"
                self._refuse(connection, HTTPStatus.REQUEST_TIMEOUT, detail)
            else:
                self._close(connection)

    def _refuse_or_continue(self, connection: Connection) -> None:
        if connection.is_answer_begun:
            self._workers.put(connection)
        else:
            detail = "too many requests are waiting; try again later"
            self._refuse(connection, HTTPStatus.SERVICE_UNAVAILABLE, detail)

    def _close(self, connection: Connection) -> None:
        self._unwatch(connection)
        self._connections.discard(connection)
        connection.close()

    def _seconds_to_next_deadline(self) -> float | None:
        next_deadline = min((self._next_port_try_at, *(connection.deadline for connection in self._connections)))
        return None if next_deadline == math.inf else max(next_deadline - time.monotonic(), 0.0)
