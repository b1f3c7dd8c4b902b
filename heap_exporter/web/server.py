"""The server: one loop that waits for whole requests, and few threads that answer them.

A client costs a thread only while its request is being answered: the loop itself collects the request, and the kernel
takes its answer, so that slow, silent and hostile clients cost a descriptor for some seconds and nobody else's scrape.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http import HTTPStatus
from queue import SimpleQueue
from typing import Any

from heap_exporter.runtime.logs import log
from heap_exporter.runtime.port_conflict import reachable
from heap_exporter.runtime.threads import start_thread
from heap_exporter.web.connection import HEAD_BYTES, SOCKET_SECONDS, Connection, Protocol, refusal
from heap_exporter.web.listener import listen
from heap_exporter.web.watch import Watch
from heap_exporter.web.workers import WORKERS, Workers

MAX_CONNECTIONS = 64
"""Descriptors of the application's that clients may cost; more of them wait in the kernel until there is a place."""

MAX_IN_THE_KERNEL = 1024

MAX_WAITING = 32
PLACE_SECONDS = 5.0
"""Requests that may wait for a worker. Whoever finds no place among them within some seconds is answered 503."""

CROWD_PAUSE_SECONDS = 0.002
"""Rest after each client that comes while there are more than workers: the application wants the interpreter too, and
would have to wait for the turns of all of our threads.
"""

SPARED_SECONDS = 1.0
"""How long a client has to send its request even where others wait for its place."""

REQUEST_SECONDS = 5.0
"""How long a client may take to send a request, from its first byte on."""

KEEP_ALIVE_SECONDS = 90.0
"""How long a connection may be silent between requests: longer than usual scrape intervals."""

LINGER_SECONDS = 2.0
"""How long a client may take to hang up after its last answer; closing earlier can destroy an answer on its way."""

SEND_BYTES = 256 * 1024
"""What the kernel is asked to take of an answer at once: every page, so that reading it slowly holds no worker."""

ACCEPT_PAUSE_SECONDS = 0.2
"""Pause after a failed accept: without a free descriptor the listener stays readable, and the loop would spin."""

STOP_GRACE_SECONDS = 0.7
STOP_SECONDS = 1.5


class Server:
    """Serves ``app`` on ``host:port``, bound at once; ``port`` 0 takes a free one.

    Raises :class:`~heap_exporter.errors.PortTaken`, or :class:`~heap_exporter.errors.SettingsError` on an address that
    cannot be listened on.
    """

    def __init__(self, app: Callable[..., Any], host: str, port: int) -> None:
        with ExitStack() as opened:
            self._listener = listen(host.removeprefix("[").removesuffix("]"), port, backlog=MAX_IN_THE_KERNEL)
            opened.enter_context(self._listener)
            self.host, self.port = self._listener.getsockname()[:2]
            self._jobs: SimpleQueue[Connection | None] = SimpleQueue()
            self._protocol = Protocol(app, (self.host, self.port), nobody_waits=self._jobs.empty)
            self._waker, self._woken = map(opened.enter_context, socket.socketpair())
            self._waker.setblocking(False)
            self._woken.setblocking(False)
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._is_accepting = True
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            self._selector.register(self._woken, selectors.EVENT_READ, self._take_back)
            self._watch = Watch(self._selector)
            opened.pop_all()
        self._open: set[Connection] = set()
        self._without_place: deque[Connection] = deque()
        self._answered: deque[Connection] = deque()
        self._loop: threading.Thread | None = None
        self._workers = Workers(self._jobs, self._answered, self._waker)
        self._stopping = False

    @property
    def url(self) -> str:
        """Return the address of the status page."""
        host = reachable(self.host)
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"

    def start(self) -> None:
        """Serve, on threads of the server's own, until :meth:`stop`."""
        # Not from the loop: a program that ends at once would refuse it new threads, and print that it did.
        self._workers.start()
        self._loop = start_thread("http", self._serve)

    def stop(self) -> None:
        """End threads and sockets within two seconds. Requests that are being answered get a moment to end."""
        if self._stopping:
            return
        self._stopping = True
        now = time.monotonic()
        self._wake()
        if self._loop:
            self._loop.join(STOP_SECONDS)
        self._listener.close()
        self._jobs.put(None)
        self._workers.join(now + STOP_GRACE_SECONDS)
        for connection in list(self._open):
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        self._workers.join(now + STOP_SECONDS)
        for connection in list(self._open):
            connection.close()
        for end in (self._selector, self._waker, self._woken):
            end.close()

    def abandon(self) -> None:
        """In a forked child: close the inherited descriptors, and nothing else.

        The connections and the listener are the parent's, so nothing is shut down; its threads do not exist here, and
        a lock may be held by one of them for ever, so none is taken.
        """
        self._stopping = True
        for inherited in (self._listener, self._waker, self._woken, *(connection.socket for connection in self._open)):
            with suppress(OSError):
                os.close(inherited.detach())
        self._selector.close()

    def _serve(self) -> None:
        """Take turns until told to stop; the body of the loop's thread."""
        while not self._stopping:
            try:
                self._turn()
            except Exception:
                if self._stopping:
                    break
                log.exception("heap-exporter's server failed and goes on")
                time.sleep(ACCEPT_PAUSE_SECONDS)

    def _turn(self) -> None:
        """Wait for something to happen, and see to it."""
        for key, _ in self._selector.select(self._watch.seconds_to_deadline(has_place=self._is_accepting)):
            if not isinstance(key.data, Connection):
                key.data()
            elif key.data in self._open:  # it may have been closed to make room in this same turn
                self._receive(key.data)
        self._expire()
        if not self._is_accepting and self._watch.max_idle() is not None:
            self._accept_again()

    def _accept(self) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            idle = self._watch.max_idle()
            if idle is None:
                self._accept_no_more()
                return
            self._close(idle)
        try:
            client, address = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            log.warning("heap-exporter cannot accept a connection: %s", error.strerror)
            time.sleep(ACCEPT_PAUSE_SECONDS)
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        connection = Connection(self._protocol, client, address)
        connection.spared_until = time.monotonic() + SPARED_SECONDS
        self._open.add(connection)
        self._watch.add(connection, REQUEST_SECONDS)
        if len(self._open) > WORKERS:
            time.sleep(CROWD_PAUSE_SECONDS)

    def _accept_no_more(self) -> None:
        """Let clients wait in the kernel until there is a place for them."""
        self._selector.unregister(self._listener)
        self._is_accepting = False

    def _accept_again(self) -> None:
        if not self._is_accepting:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            self._is_accepting = True

    def _receive(self, connection: Connection) -> None:
        """Receive a piece of a request, and have the request answered when it is whole."""
        fresh = not connection.received
        try:
            came = connection.receive()
        except OSError:
            came = False
        if not came:
            self._close(connection)
        elif not connection.lingering:
            if fresh:
                now = time.monotonic()
                connection.deadline, connection.spared_until = now + REQUEST_SECONDS, now + SPARED_SECONDS
            self._answer_if_whole(connection)

    def _answer_if_whole(self, connection: Connection) -> None:
        if not connection.head_bytes:
            if len(connection.received) >= HEAD_BYTES:
                status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                self._refuse(connection, status, f"the request's head is longer than {HEAD_BYTES >> 10} KiB")
        elif not connection.has_body():
            return
        elif self._jobs.qsize() < MAX_WAITING and not self._without_place:
            self._have_answered(connection)
        elif not connection.is_whole:
            connection.is_whole = True
            connection.deadline = connection.spared_until = time.monotonic() + PLACE_SECONDS
            self._without_place.append(connection)

    def _have_answered(self, connection: Connection) -> None:
        connection.is_whole = False
        self._watch.drop(connection)
        connection.socket.settimeout(SOCKET_SECONDS)
        self._jobs.put(connection)

    def _give_places(self) -> None:
        while self._without_place and self._jobs.qsize() < MAX_WAITING:
            connection = self._without_place.popleft()
            if connection in self._open and connection.is_whole:
                self._have_answered(connection)

    def _refuse(self, connection: Connection, status: HTTPStatus, detail: str) -> None:
        self._watch.drop(connection)
        with suppress(OSError):
            connection.socket.send(refusal(status, detail))
        self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        """Say that no more will come, and wait a little for the client to hang up."""
        connection.lingering = True
        connection.is_whole = False
        try:
            connection.socket.shutdown(socket.SHUT_WR)
            self._watch.add(connection, LINGER_SECONDS)
        except OSError:
            self._discard(connection)

    def _take_back(self) -> None:
        """Watch the connections that workers are done with."""
        with suppress(BlockingIOError):
            self._woken.recv(4096)
        while self._answered and not self._stopping:
            connection = self._answered.popleft()
            connection.spared_until = time.monotonic()
            if connection.lingering:
                self._linger(connection)
            else:
                self._watch.add(connection, REQUEST_SECONDS if connection.received else KEEP_ALIVE_SECONDS)
                if connection.received:
                    self._answer_if_whole(connection)
        self._give_places()

    def _expire(self) -> None:
        now = time.monotonic()
        for connection in self._watch.connections():
            if connection.deadline > now:
                continue
            if connection.is_whole:
                detail = "too many requests are waiting; ask again later"
                self._refuse(connection, HTTPStatus.SERVICE_UNAVAILABLE, detail)
            elif connection.received and not connection.lingering:
                detail = f"the request did not arrive within {REQUEST_SECONDS:g} s"
                self._refuse(connection, HTTPStatus.REQUEST_TIMEOUT, detail)
            else:
                self._close(connection)

    def _close(self, connection: Connection) -> None:
        self._watch.drop(connection)
        self._discard(connection)

    def _discard(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.close()
        self._accept_again()

    def _wake(self) -> None:
        with suppress(OSError):
            self._waker.send(b"\0")
