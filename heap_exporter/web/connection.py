"""cheroot's HTTP, set up for us: its parser and its WSGI gateway, without its loop and its threads.

cheroot hands a connection to a worker thread before the request has arrived, and leaves the socket of a closed
connection open until the collector runs. Inside somebody else's process neither will do.
"""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from cheroot import wsgi
from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest

from heap_exporter.web import problem

HEAD_BYTES = 32 * 1024
"""Longest request line and headers together."""

BODY_BYTES = 64 * 1024
SOCKET_SECONDS = 5.0
"""How long a worker waits for one read or write of a client."""

SERVER_NAME = "heap-exporter"

log = logging.getLogger("heap_exporter")


class Headers(HeaderReader):
    """Drops names with an underscore, which WSGI cannot tell from their twins with a hyphen."""

    def _allow_header(self, name: bytes) -> bool:
        return b"_" not in name


class Request(HTTPRequest):
    """A request whose protocol errors are answered as problems too."""

    header_reader = Headers()

    def parse_request(self) -> None:
        """Parse the head. A request with a body is the connection's last.

        cheroot would otherwise wait for the rest of a body that nobody reads before it answers.
        """
        super().parse_request()
        if self.inheaders.get(b"Content-Length", b"0") != b"0" or self.chunked_read:
            self.close_connection = True

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer a request that never reaches the application."""
        self.close_connection = True
        with suppress(OSError):
            self.conn.wfile.write(refusal(HTTPStatus(int(status[:3])), msg))


class Connection(HTTPConnection):
    """A connection. ``deadline`` (monotonic seconds) is the loop's; when ``lingering``, nothing more is answered."""

    RequestHandlerClass = Request
    rbufsize = HEAD_BYTES
    deadline = 0.0
    lingering = False

    def __init__(self, protocol: Protocol, client: socket.socket, address: Any) -> None:
        super().__init__(protocol, client)
        self.remote_addr, self.remote_port = address[:2]
        # cheroot caches these two on the instance, a cycle that would keep every connection until the collector runs.
        del self.resolve_peer_creds, self.get_peer_creds

    @property
    def head(self) -> bytes:
        """Return what has been received of the next request."""
        return self.rfile.peek(1) if self.rfile.has_data() else b""

    def receive(self) -> bool:
        """Receive once, for nothing if lingering. Return whether anything came; raises :class:`OSError`."""
        if self.lingering:
            return bool(self.socket.recv(HEAD_BYTES))
        before = len(self.head)
        return len(self.rfile.peek(HEAD_BYTES)) > before

    def answer(self) -> bool:
        """Answer the request whose head is there. Return whether another may follow."""
        return bool(self.communicate())  # type: ignore[no-untyped-call]  # cheroot's stubs leave it untyped

    def close(self) -> None:
        """Close the socket now."""
        with suppress(OSError):
            super().close()
        with suppress(OSError):
            self.wfile.close()


class Protocol(wsgi.Server):
    """The settings that cheroot's requests and connections read from their server. It is never started."""

    max_request_header_size = HEAD_BYTES
    max_request_body_size = BODY_BYTES
    timeout = SOCKET_SECONDS
    can_add_keepalive_connection = True
    software = SERVER_NAME

    def __init__(self, app: Callable[..., Any], address: tuple[str, int]) -> None:
        super().__init__(address, app, numthreads=1, server_name=SERVER_NAME)
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
