"""cheroot's HTTP, set up for us: its parser and its WSGI gateway, without its loop and its threads.

cheroot hands a connection to a worker thread before the request has arrived, and leaves the socket of a closed
connection open until the collector runs. Inside somebody else's process neither will do.
"""

from __future__ import annotations

import logging
import re
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from cheroot import wsgi
from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest

from heap_exporter.runtime.logs import log
from heap_exporter.web import problem
from heap_exporter.web.request import BODY_BYTES

HEAD_BYTES = 32 * 1024
"""Longest request line and headers together."""

SOCKET_SECONDS = 5.0
"""How long a worker waits until a client takes a piece of an answer."""

ANSWER_SECONDS = 5.0
"""How long the client of one long answer may hold a worker that others wait for."""

SERVER_NAME = "heap-exporter"

_HEAD_END = re.compile(rb"\n\r?\n")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*\r\n")
_LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]{1,18})[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_SINGLE = frozenset({b"Host", b"Content-Length"})


class Headers(HeaderReader):
    """Reads headers as RFC 9112 has them and no others: what can be read in two ways can be used to deceive.

    Names with an underscore are dropped, since WSGI cannot tell them from their twins with a hyphen.
    """

    def __call__(self, rfile: Any, hdict: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
        """Read to the end of the head into ``hdict`` and return it. Raises :class:`ValueError` to answer 400."""
        headers = {} if hdict is None else hdict
        while (line := rfile.readline()) != b"\r\n":
            header = _HEADER.fullmatch(line)
            if not header:
                raise ValueError("a header is malformed")
            name, value = header[1].title(), header[2]
            if name in _SINGLE and name in headers:
                raise ValueError(f"the header {name.decode()} came twice")
            if b"_" not in name:
                headers[name] = headers[name] + b", " + value if name in headers else value
        if not re.fullmatch(rb"[0-9]{1,18}", headers.get(b"Content-Length", b"0")):
            raise ValueError("the Content-Length is no number of bytes")
        if b"Content-Length" in headers and b"Transfer-Encoding" in headers:
            raise ValueError("Content-Length and Transfer-Encoding exclude each other")
        return headers


class Request(HTTPRequest):
    """A request whose protocol errors are answered as problems too."""

    header_reader = Headers()
    answer_until: float | None = None

    def parse_request(self) -> None:
        """Parse the head. A body must have told its length, by which the loop knows when it is there."""
        super().parse_request()
        if self.ready and b"Transfer-Encoding" in self.inheaders:
            self.ready = False
            self.simple_response("411 Length Required", "send the body with a Content-Length, not in chunks")

    def write(self, chunk: bytes) -> None:
        """Send a piece of the answer. Raises :class:`TimeoutError` if the whole takes long and others wait."""
        now = time.monotonic()
        if self.answer_until is None:
            self.answer_until = now + ANSWER_SECONDS
        if now > self.answer_until and not self.server.nobody_waits():
            raise TimeoutError("timed out")  # cheroot knows it by these words
        super().write(chunk)

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer a request that never reaches the application."""
        self.close_connection = True
        with suppress(OSError):
            self.conn.wfile.write(refusal(HTTPStatus(int(status[:3])), msg))


class Connection(HTTPConnection):
    """A connection, with what the loop notes of it; times are monotonic seconds.

    At its ``deadline`` it is given up, and from ``spared_until`` on if its place is needed. ``is_whole`` tells that its
    request is there and waits for a place; when ``lingering``, nothing more is answered.
    """

    RequestHandlerClass = Request
    rbufsize = HEAD_BYTES + BODY_BYTES
    deadline = 0.0
    spared_until = 0.0
    is_whole = False
    lingering = False

    def __init__(self, protocol: Protocol, client: socket.socket, address: Any) -> None:
        super().__init__(protocol, client)
        self.remote_addr, self.remote_port = address[:2]
        # cheroot caches these two on the instance, a cycle that would keep every connection until the collector runs.
        del self.resolve_peer_creds, self.get_peer_creds

    @property
    def received(self) -> bytes:
        """Return what has been received of the next request."""
        return self.rfile.peek(1) if self.rfile.has_data() else b""

    @property
    def head_bytes(self) -> int:
        """Return the length of the next request's head, 0 while its end has not been received."""
        end = _HEAD_END.search(self.received, 0, HEAD_BYTES)
        return end.end() if end else 0

    def has_body(self) -> bool:
        """Return whether the body that the head announces is there, or too long to wait for."""
        length = _LENGTH.search(self.received, 0, self.head_bytes)
        if not length or int(length[1]) > BODY_BYTES:
            return True
        return len(self.received) - self.head_bytes >= int(length[1])

    def receive(self) -> bool:
        """Receive once, for nothing if lingering. Return whether anything came; raises :class:`OSError`."""
        if self.lingering:
            return bool(self.socket.recv(self.rbufsize))
        before = len(self.received)
        return len(self.rfile.peek(self.rbufsize)) > before

    def answer(self) -> bool:
        """Answer the request that is there. Return whether another may follow."""
        return bool(self.communicate())  # type: ignore[no-untyped-call]  # cheroot's stubs leave it untyped

    def close(self) -> None:
        """Close the socket now."""
        with suppress(OSError):
            super().close()
        with suppress(OSError):
            self.wfile.close()


class Protocol(wsgi.Server):
    """What cheroot's requests and connections ask of their server. It is never started.

    ``nobody_waits()`` returns whether no request waits for a worker.
    """

    max_request_header_size = HEAD_BYTES
    max_request_body_size = BODY_BYTES
    timeout = SOCKET_SECONDS
    can_add_keepalive_connection = True
    software = SERVER_NAME

    def __init__(self, app: Callable[..., Any], address: tuple[str, int], nobody_waits: Callable[[], bool]) -> None:
        super().__init__(address, app, numthreads=1, server_name=SERVER_NAME)
        self.nobody_waits = nobody_waits
        # cheroot enters itself into a table of the logging module that nothing is ever taken out of.
        vars(logging)["statistics"].pop(f"Cheroot HTTPServer {id(self)}", None)

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log what cheroot would print to the application's stderr."""
        log.log(level, "%s", msg, exc_info=sys.exc_info() if traceback else None)


def refusal(status: HTTPStatus, detail: str) -> bytes:
    """Return a whole response with a problem, after which the connection ends."""
    body = problem.body(status, detail or f"{status.description or status.phrase}.")
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nServer: {SERVER_NAME}\r\nContent-Type: {problem.CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
