"""Requests and answers as bytes, without a socket."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from heap_exporter.web.request import BODY_BYTES
from heap_exporter.web.wsgi import RequestHandler, Site, request_size

HOST = b"Host: localhost\r\n"


def answer(
    request: bytes, body: Iterable[bytes] = (b"ok",), headers: tuple[tuple[str, str], ...] = (("Content-Length", "2"),)
) -> tuple[bytes, bool, dict[str, Any]]:
    """Return the answer, whether the connection ends, and the environment that the application got."""
    seen: dict[str, Any] = {}

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        start_response("200 OK", list(headers))
        return body

    handler = RequestHandler(request, ("10.0.0.9", 5), Site(application, "localhost", 9465))
    return b"".join(handler.chunks()), handler.close_connection, seen


@pytest.mark.parametrize(
    ("request_line", "headers", "ends"),
    [
        (b"GET / HTTP/1.1", b"", False),
        (b"GET / HTTP/1.1", b"Connection: close\r\n", True),
        (b"GET / HTTP/1.0", b"", True),
        (b"GET / HTTP/1.0", b"Connection: keep-alive\r\n", False),
        (b"HEAD / HTTP/1.1", b"", False),
    ],
)
def test_the_connection_stays_open_as_the_client_requests(request_line: bytes, headers: bytes, ends: bool) -> None:
    sent, closes, _ = answer(request_line + b"\r\n" + HOST + headers + b"\r\n")

    assert closes == ends
    assert (b"\r\nConnection: close\r\n" if ends else b"\r\nConnection: keep-alive\r\n") in sent


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    sent, closes, _ = answer(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", (b"a", b"", b"b"), ())

    assert closes
    assert sent.endswith(b"\r\nConnection: close\r\n\r\nab")


def test_a_body_shorter_than_its_length_ends_the_connection() -> None:
    assert answer(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", (b"o",))[1]


def test_the_body_of_the_application_is_closed_also_if_the_client_is_gone() -> None:
    closed = []

    def body() -> Iterator[bytes]:
        try:
            yield b"o"
            yield b"k"
        finally:
            closed.append(True)

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return body()

    handler = RequestHandler(b"GET / HTTP/1.1\r\n\r\n", ("10.0.0.9", 5), Site(application, "localhost", 9465))
    chunks = handler.chunks()
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]  # a generator

    assert closed == [True]


def test_the_environment_is_that_of_wsgi() -> None:
    head = b"POST /a%20b?c=d HTTP/1.1\r\n" + HOST + b"X-A: 1\r\nX-A: 2\r\nX_A: 3\r\nRemote-Addr: ::1\r\n"
    _, _, environ = answer(head + b"Content-Length: 4\r\n\r\nbody")

    assert environ["wsgi.input"].read() == b"body"
    assert {name: environ[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH")} == {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=d",
        "CONTENT_LENGTH": "4",
    }
    assert (environ["HTTP_HOST"], environ["HTTP_X_A"], environ["REMOTE_ADDR"]) == ("localhost", "1,2", "10.0.0.9")


@pytest.mark.parametrize(
    ("received", "size"),
    [
        (b"", 0),
        (b"GET / HTTP/1.1\r\n", 0),
        (b"GET / HTTP/1.1\r\n\r\nGET", 18),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", 0),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 41),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES + 1), 42),
    ],
)
def test_a_request_is_complete_with_its_body_unless_that_is_too_long(received: bytes, size: int) -> None:
    assert request_size(received) == size
