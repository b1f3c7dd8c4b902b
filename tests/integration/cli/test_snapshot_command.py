"""`heap-exporter snapshot`: what it prints, and how it ends if another server answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.doubles.malicious_servers import FLOODS, TRICKLES, endless_server
from tests.processes.commands import Run
from tests.rows import first

OBJECT = b"""{"path": "/a.heap", "content": "all", "note": "", "objects": 3, "bytes": 4, "duration_seconds": 1.0,
"pause_seconds": 0}"""


def http(body: bytes, status: str = "200 OK", headers: str = "", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], tuple[str, list[bytes]]]]:
    """Return a function that serves fixed bytes, and returns the URL and the list of requests."""
    servers = []

    def start(answer: bytes) -> tuple[str, list[bytes]]:
        server, asked = socket.create_server(("127.0.0.1", 0)), list[bytes]()
        servers.append(server)

        def answers() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(65536))
                    connection.sendall(answer)

        threading.Thread(target=answers, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}", asked

    yield start
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.mark.parametrize(
    "answer",
    first(4, [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        *(http(body) for body in (b"[]", b"{}", b"null", b"<html>", b"[" * 100_000, b'{"path": 7}', b"\xff\xfe")),
        http(OBJECT[:20], length=900),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
        http(b"", "302 Found", "Location: /elsewhere\r\n"),
        http(b"<html>", "404 Not Found"),
        http(b"[1]", "503 Service Unavailable"),
    ]),
)  # fmt: skip  # a table
def test_an_answer_of_another_server_is_one_line_and_exit_code_2(
    run: Run, serve: Callable[..., tuple[str, list[bytes]]], answer: bytes
) -> None:
    url, _ = serve(answer)

    done = run("snapshot", url, code=2)

    assert done.stderr.startswith(f"heap-exporter: {url} is not a heap-exporter server (")
    assert done.stderr.endswith("; use the address that heap_exporter.start() listens on\n")
    assert done.stderr.count("\n") == 1


def test_an_answer_without_end_is_of_another_server(run: Run) -> None:
    with endless_server(*FLOODS["a body without end"]) as url:
        assert run("snapshot", url, code=2).stderr.startswith(f"heap-exporter: {url} is not a heap-exporter server (")


def test_an_answer_that_trickles_ends_at_the_timeout(run: Run) -> None:
    with endless_server(*TRICKLES["a body that trickles"], pause_seconds=0.05) as url:
        done = run("snapshot", url, "--timeout", "0.5", code=2)

    assert done.stderr.startswith(
        f"heap-exporter: heap-exporter does not answer at {url}: no complete answer within 0.5 s; start the service"
    )


def test_a_snapshot_is_one_line_and_a_refusal_is_exit_code_1(
    run: Run, serve: Callable[..., tuple[str, list[bytes]]]
) -> None:
    done = run("snapshot", serve(http(OBJECT))[0])
    refused = run("snapshot", serve(http(b'{"title": "Conflict", "detail": "busy"}', "409 Conflict"))[0], code=1)

    assert done.stdout == "/a.heap  all of 3 objects, 4 B in 1.0 s, longest pause 0.0 ms\n"
    assert refused.stdout == "refused: busy\n"


def test_a_reason_and_a_token_may_hold_any_bytes(run: Run, serve: Callable[..., tuple[str, list[bytes]]]) -> None:
    url, asked = serve(http(OBJECT))

    run("snapshot", url, "--reason", "\udcff", "--token", "t\u00fc\udcff")

    assert b"?reason=%3F " in asked[0]
    assert b"Authorization: Bearer t\xc3\xbc\xff\r\n" in asked[0]


@pytest.mark.parametrize(
    ("url", "problem"),
    first(3, [
        ("http://127.0.0.1:1", "heap-exporter does not answer at http://127.0.0.1:1: "),
        ("ftp://user:s3cret@127.0.0.1:1", "not an http:// or https:// address"),
        ("http://127.0.0.1:notaport", "its host or port is invalid"),
        ("http://[x", "its host or port is invalid"),
        ("http://127.0.0.1:1/a b", "not an http:// or https:// address"),
        ("ftp://127.0.0.1:1", "not an http:// or https:// address"),
        ("file:///etc/passwd", "not an http:// or https:// address"),
        ("http://127.0.0.1:1/\u00fc", "write the URL in ASCII"),
        ("http://user:s3cret@127.0.0.1:1", "give the password with --token"),
    ]),
)  # fmt: skip  # a table
def test_a_bad_address_is_one_line_without_its_password(run: Run, url: str, problem: str) -> None:
    done = run("snapshot", url, code=2)

    assert problem in done.stderr
    assert "s3cret" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_ipv6_host_of_the_settings_is_used(run: Run) -> None:
    done = run("snapshot", code=2, HEAP_EXPORTER_HOST="::", HEAP_EXPORTER_PORT="1")

    assert done.stderr.startswith("heap-exporter: heap-exporter does not answer at http://[::1]:1: ")


@pytest.mark.parametrize("text", first(2, ["-1", "soon", "0", "nan", "inf", "1e30"]))
def test_a_timeout_must_be_a_positive_number_of_seconds(run: Run, text: str) -> None:
    assert "argument --timeout: it must be " in run("snapshot", f"--timeout={text}", code=2).stderr


def test_a_token_with_a_line_break_is_refused_and_not_shown(run: Run) -> None:
    for how in ({"HEAP_EXPORTER_TOKEN": "s3cret\n"}, {}):
        typed = () if how else ("--token", "s3cret\n")
        errors = run("snapshot", *typed, code=2, **how).stderr

        assert "argument --token: a token must not contain line breaks" in errors
        assert "s3cret" not in errors
