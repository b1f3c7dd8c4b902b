"""HTTP/1.1 and WSGI by the standard library's request handler: the bytes of a request in, the bytes of an answer out.

The handler neither reads from a socket nor writes to one, so that a slow client holds no thread.
"""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from wsgiref.simple_server import WSGIRequestHandler

from heap_exporter.runtime.formatting import in_calendar
from heap_exporter.web import problem
from heap_exporter.web.request import BODY_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

HEAD_BYTES = 32 * 1024
"""Maximum size of the request line and the headers together."""

SERVER_NAME = "heap-exporter"

_HEAD_END = re.compile(rb"\n\r?\n")
_HEAD = re.compile(
    rb"[A-Z]+ (?:/[^\0-\x20\x7f]*|\*|[a-zA-Z0-9.\[\]:-]+:[0-9]+) HTTP/[0-9]\.[0-9]\r\n"
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*\r\n"
)
"""The syntax of RFC 9112 without folded headers and absolute URLs: two servers could read those in two ways."""

_LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]{1,18})[ \t]*\r$", re.IGNORECASE | re.MULTILINE)


def head_size(received: bytes | bytearray) -> int:
    """Return the size of the first HTTP request's head in bytes, 0 while its end has not been received."""
    end = _HEAD_END.search(received, 0, HEAD_BYTES)
    return end.end() if end else 0


def request_size(received: bytes | bytearray) -> int:
    """Return the size of the first HTTP request in bytes, 0 while it is incomplete; without a body that is too long."""
    head = head_size(received)
    length = _LENGTH.search(received, 0, head)
    body = int(length[1]) if length else 0
    size = head if body > BODY_BYTES else head + body
    return size if len(received) >= size else 0


class Site:
    """A WSGI application at an address, with the part of ``environ`` that is the same for all requests."""

    def __init__(self, application: WSGIApplication, host: str, port: int) -> None:
        self.application = application
        self.base_environ: WSGIEnvironment = {
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SCRIPT_NAME": "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }


class RequestHandler(WSGIRequestHandler):
    """One complete HTTP request. ``close_connection`` is final after the last of :meth:`chunks`."""

    protocol_version = "HTTP/1.1"
    server_version = SERVER_NAME

    def __init__(self, request: bytes, address: tuple[str, int], site: Site) -> None:
        self._application = site.application
        self._environ: WSGIEnvironment = {}
        self._head = io.BytesIO()
        self._refusal = b""
        self._length: int | None = None
        super().__init__(cast("Any", request), address, cast("Any", site))

    def setup(self) -> None:
        """Read the HTTP request from its bytes, and write the head of the answer into a buffer."""
        self.rfile, self.wfile = io.BytesIO(self.request), self._head

    def handle(self) -> None:
        """Parse the HTTP request."""
        if _HEAD.fullmatch(self.request, 0, head_size(self.request)):
            self.handle_one_request()
        else:
            self.send_error(HTTPStatus.BAD_REQUEST, "the request line or a header is malformed")

    def finish(self) -> None:
        """Leave the buffers open: the WSGI application reads the request's body later."""

    def do_GET(self) -> None:  # noqa: N802  # the standard library calls it by this name
        """Prepare the call of the WSGI application, or refuse a request that it could misread."""
        found = self._find_problem()
        if found:
            self.send_error(*found)
            return
        for name in {name for name in self.headers if "_" in name}:  # in WSGI, a_b and a-b have the same name
            del self.headers[name]
        self._environ = {**self.get_environ(), "wsgi.input": self.rfile}

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_GET  # noqa: N815  # likewise

    def do_CONNECT(self) -> None:  # noqa: N802  # likewise
        """Refuse an HTTP CONNECT request: this server is no proxy."""
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, "this server is not a proxy")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer the HTTP request with a problem, after which the connection ends."""
        self.close_connection = True
        self._refusal = refusal(HTTPStatus(code), message or explain or "")

    def chunks(self) -> Iterator[bytes]:
        """Yield the head and the body of the WSGI application's answer. Raises what the application raises."""
        if self._refusal:
            yield self._refusal
            return
        sent = 0
        body = self._application(self._environ, self._start_response)
        try:
            for chunk in body:
                sent += len(chunk)
                yield self._take_head() + chunk
            yield self._take_head()
        finally:
            getattr(body, "close", bool)()
        if sent != self._length and self.command != "HEAD":
            self.close_connection = True  # else the client waits for the rest

    def _find_problem(self) -> tuple[HTTPStatus, str] | None:
        hosts, lengths, encodings = (
            self.headers.get_all(name, []) for name in ("Host", "Content-Length", "Transfer-Encoding")
        )
        if len(hosts) > 1 or len(lengths) > 1 or (lengths and encodings):
            found = (
                HTTPStatus.BAD_REQUEST,
                "the Host, Content-Length and Transfer-Encoding headers contradict each other",
            )
        elif lengths and not re.fullmatch("[0-9]{1,18}", lengths[0].strip(" \t")):
            found = HTTPStatus.BAD_REQUEST, "the Content-Length header is not a number of bytes"
        elif lengths and int(lengths[0]) > BODY_BYTES:
            found = (
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the request body is longer than {BODY_BYTES >> 10} KiB",
            )
        elif encodings == ["chunked"]:
            found = (
                HTTPStatus.LENGTH_REQUIRED,
                "send the request body with a Content-Length header, not in chunks",
            )
        elif encodings:
            found = HTTPStatus.NOT_IMPLEMENTED, "this Transfer-Encoding is not supported"
        else:
            return None
        return found

    def _start_response(
        self, status: str, headers: Iterable[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if exc_info:
            raise exc_info[1]
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        date = self.date_time_string(in_calendar(time.time()))
        for name, value in (("Server", SERVER_NAME), ("Date", date), *headers):
            self.send_header(name, value)
            if name.lower() == "content-length":
                self._length = int(value)
        self.close_connection |= self._length is None  # then the end of the connection is the end of the body
        self.send_header("Connection", "close" if self.close_connection else "keep-alive")
        self.end_headers()
        return self.wfile.write

    def _take_head(self) -> bytes:
        head = self._head.getvalue()
        self._head.seek(0)
        self._head.truncate()
        return head


def refusal(status: HTTPStatus, detail: str) -> bytes:
    """Return a complete HTTP error answer, after which the connection ends."""
    body = problem.body(status, detail or f"{status.description or status.phrase}.")
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nServer: {SERVER_NAME}\r\nContent-Type: {problem.CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
