"""HTTP/1.1 (RFC 9112) and WSGI (PEP 3333): the bytes of a request in, the bytes of an answer out.

Nothing here reads from a socket or writes to one, so that a slow client holds no thread. The standard library's handler
does, and its modules cost 5 MiB of memory.
"""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.web import problem
from heap_exporter.web.http_date import http_date
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

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What some clients wait for before they send a body (RFC 9110, 10.1.1): curl for a second, others for ever."""

_EXPECTS = re.compile(rb"^expect:[ \t]*100-continue[ \t]*\r$", re.IGNORECASE | re.MULTILINE)


def waits_for_continue(received: bytes | bytearray) -> bool:
    """Return whether the client waits for :data:`CONTINUE` before it sends the body of the first HTTP request."""
    head = head_size(received)
    return head == len(received) and _EXPECTS.search(received, 0, head) is not None


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


class RequestHandler:
    """One complete HTTP request, which the application of ``site`` answers unless it is malformed.

    ``close_connection`` is final after the last of :meth:`chunks`.
    """

    def __init__(self, request: bytes, address: tuple[str, int], site: Site) -> None:
        self.close_connection = True
        self._site = site
        self._head = b""
        self._length: int | None = None
        self._method = ""
        self._environ: WSGIEnvironment = {}
        self._refusal = self._parse(request, address)

    def chunks(self) -> Iterator[bytes]:
        """Yield the head and the body of the WSGI application's answer. Raises what the application raises."""
        if self._refusal:
            yield self._refusal
            return
        sent = 0
        body = self._site.application(self._environ, self._start_response)
        try:
            for chunk in body:
                sent += len(chunk)
                yield self._take_head() + chunk
            yield self._take_head()
        finally:
            getattr(body, "close", bool)()
        if sent != self._length and self._method != "HEAD":
            self.close_connection = True  # else the client waits for the rest

    def _parse(self, request: bytes, address: tuple[str, int]) -> bytes:
        """Parse the HTTP request; return the answer to one that the application could misread, else ``b""``."""
        head = head_size(request)
        if not _HEAD.fullmatch(request, 0, head):
            return refusal(HTTPStatus.BAD_REQUEST, "the request line or a header is malformed")
        request_line, *lines = request[: head - 4].decode("latin-1").split("\r\n")
        self._method, target, version = request_line.split(" ")
        if not version.startswith("HTTP/1."):
            return refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"{version} is not supported; use HTTP/1.1")
        if self._method == "CONNECT":
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "this server is not a proxy")
        headers = _headers(lines)
        if problem_found := _find_problem(headers):
            return refusal(*problem_found)
        options = {option.strip().lower() for value in headers.get("connection", ()) for option in value.split(",")}
        self.close_connection = "close" in options or (version == "HTTP/1.0" and "keep-alive" not in options)
        self._environ = self._site.base_environ | _request_environ(self._method, target, version, headers)
        self._environ |= {"REMOTE_ADDR": address[0], "wsgi.input": io.BytesIO(request[head:])}
        return b""

    def _start_response(
        self, status: str, headers: Iterable[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if exc_info:
            raise exc_info[1]
        headers = list(headers)
        length = next((value for name, value in headers if name.lower() == "content-length"), None)
        self._length = None if length is None else int(length)
        self.close_connection |= self._length is None  # then the end of the connection is the end of the body
        connection = "close" if self.close_connection else "keep-alive"
        sent = (("Server", SERVER_NAME), ("Date", http_date(time.time())), *headers, ("Connection", connection))
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in sent), "", ""]
        self._head = "\r\n".join(lines).encode("latin-1", "replace")
        return _refuse_to_write

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head


def _headers(lines: Iterable[str]) -> dict[str, list[str]]:
    """Return the values of each header of an HTTP request, by the name in lower case."""
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip(" \t"))
    return headers


def _find_problem(headers: Mapping[str, Sequence[str]]) -> tuple[HTTPStatus, str] | None:
    """Return the status and the text of the answer to an HTTP request that two servers could read in two ways."""
    hosts, lengths, encodings = (headers.get(name, ()) for name in ("host", "content-length", "transfer-encoding"))
    if len(hosts) > 1 or len(lengths) > 1 or (lengths and encodings):
        return (
            HTTPStatus.BAD_REQUEST,
            "the Host, Content-Length and Transfer-Encoding headers contradict each other",
        )
    if lengths and not re.fullmatch("[0-9]{1,18}", lengths[0]):
        return HTTPStatus.BAD_REQUEST, "the Content-Length header is not a number of bytes"
    if lengths and int(lengths[0]) > BODY_BYTES:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request body is longer than {BODY_BYTES >> 10} KiB"
    if list(encodings) == ["chunked"]:
        return HTTPStatus.LENGTH_REQUIRED, "send the request body with a Content-Length header, not in chunks"
    if encodings:
        return HTTPStatus.NOT_IMPLEMENTED, "this Transfer-Encoding is not supported"
    return None


def _request_environ(method: str, target: str, version: str, headers: Mapping[str, Sequence[str]]) -> WSGIEnvironment:
    """Return the part of the WSGI environment that an HTTP request determines (PEP 3333)."""
    path, _, query = target.partition("?")
    if "%" in path:
        with late_imports():
            from urllib.parse import unquote  # the paths of the pages have no such characters

        path = unquote(path, "latin-1")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SERVER_PROTOCOL": version,
        "PATH_INFO": path,
        "QUERY_STRING": query,
    }
    for name, values in headers.items():
        if "_" in name:  # in WSGI, a_b and a-b have the same name
            continue
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = ",".join(values)
    return environ


def _refuse_to_write(_: bytes) -> None:
    raise NotImplementedError("this server supports applications that return their answer, not those that write it")


def refusal(status: HTTPStatus, detail: str) -> bytes:
    """Return a complete HTTP error answer, after which the connection ends."""
    body = problem.body(status, detail or f"{status.description or status.phrase}.")
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nServer: {SERVER_NAME}\r\nContent-Type: {problem.CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
