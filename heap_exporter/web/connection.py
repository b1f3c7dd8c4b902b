"""The HTTP connection of one client: the received bytes, and the answer that is being sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum, auto
from typing import Any

from heap_exporter.web.wsgi import RequestHandler, Site, request_size

RECEIVE_BYTES = 64 * 1024


class ConnectionState(Enum):
    """What the HTTP server waits for on a connection."""

    RECEIVING = auto()  # the client sends a request
    ANSWERING = auto()  # a worker makes and sends the answer
    STALLED = auto()  # the client reads what has been sent of the answer
    LINGERING = auto()  # the client closes: all has been answered


class Connection:
    """An HTTP connection, used by one thread at a time. Times are monotonic seconds.

    The server closes it at its ``deadline``, and from ``protected_until`` on if another client needs the place.
    """

    def __init__(self, client: socket.socket, address: Any) -> None:
        self.socket = client
        self.state = ConnectionState.RECEIVING
        self.deadline = self.protected_until = 0.0
        self.received = bytearray()
        self._address = address[:2]
        self._handler: RequestHandler | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._unsent = memoryview(b"")

    @property
    def is_answer_begun(self) -> bool:
        """Return whether a part of an HTTP answer may have been sent."""
        return self._handler is not None

    def receive(self) -> bool:
        """Receive a piece of an HTTP request. Return False once the client sends no more. Raises :class:`OSError`."""
        data = self.socket.recv(RECEIVE_BYTES)
        if self.state is ConnectionState.RECEIVING:
            self.received += data
        return bool(data)

    def send(self, site: Site) -> ConnectionState:
        """Send a piece of the answer to the first HTTP request. Return the next state.

        Raises what the application raises.
        """
        if self._handler is None:
            size = request_size(self.received)
            self._handler = RequestHandler(bytes(self.received[:size]), self._address, site)
            self._chunks = self._handler.chunks()
            del self.received[:size]
        if not self._unsent:
            chunk = next(self._chunks, None)
            if chunk is None:
                ends, self._handler = self._handler.close_connection, None
                return ConnectionState.LINGERING if ends else ConnectionState.RECEIVING
            self._unsent = memoryview(chunk)
        try:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            return ConnectionState.STALLED
        except OSError:  # the client is gone
            return ConnectionState.LINGERING
        return ConnectionState.ANSWERING

    def close(self) -> None:
        """Close the socket and the answer of the WSGI application."""
        with suppress(OSError):
            self.socket.close()
        with suppress(Exception):  # the application may fail, and a worker may be in the generator just now
            getattr(self._chunks, "close", bool)()
