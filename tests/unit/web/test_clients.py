"""Slow, malformed and hostile clients."""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from werkzeug.utils import send_file

from heap_exporter.web.server import MAX_CONNECTIONS, HttpServer
from heap_exporter.web.workers import WORKERS
from tests.doubles.web_source import WAIT_SECONDS, Process, connect, exchange, fetch, read_all, serving, until

SCRAPE_SECONDS = 1.0
FORM = (
    b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: %d\r\n"
)


def test_a_snapshot_is_taken_over_a_real_socket(server: HttpServer, process: Process) -> None:
    status, headers, document = fetch(server, "POST", "/snapshots?reason=curl")

    assert status == 201
    assert headers["Location"] == f"/snapshots/{document['id']}"
    assert [info.reason for info in process.snapshots.store.list()] == ["curl"]


def test_of_two_posts_at_the_same_time_one_is_201_and_the_other_429(server: HttpServer, process: Process) -> None:
    process.walker.hold()
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(fetch(server, "POST", "/snapshots")[0])) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    until(lambda: answers == [429])
    process.walker.go.set()
    for thread in threads:
        thread.join()

    assert answers == [429, 201]


@pytest.mark.parametrize(
    "path",
    [
        "/snapshots/../../etc/passwd",
        "/snapshots/..%2f..%2fetc%2fpasswd",
        "/snapshots/%2e%2e/file",
        "/snapshots/..%2F..%2Fetc%2Fpasswd/file",
        "/snapshots/%2fetc%2fpasswd/file",
        "/snapshots/..%5c..%5cetc/file",
        "/snapshots/%00/file",
        "/snapshots/%ff%fe/file",
        "/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_no_path_reads_a_file_outside_the_snapshot_folder(server: HttpServer, path: str) -> None:
    status, headers, document = fetch(server, "GET", path)

    assert status == 404
    assert headers["Content-Type"] == "application/problem+json"
    assert "root:" not in str(document)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.1\n\n", 400),
        (b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / SMTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\n folded: 1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: 1\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nhello", 400),
        (b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1_0\r\n\r\n0123456789", 400),
        (b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Length: \r\n\r\n", 400),
        (b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST /snapshots HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    ],
)
def test_the_answer_to_a_malformed_request_names_the_problem_and_the_next_request_is_answered(
    server: HttpServer, process: Process, raw: bytes, status: int
) -> None:
    answer = exchange(server, raw)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in answer
    assert b'"detail"' in answer
    assert fetch(server, "GET", "/metrics")[0] == 200
    assert process.snapshots.outcomes["written"] == 0


def test_a_query_that_is_not_utf_8_is_answered_400(server: HttpServer, process: Process) -> None:
    for query in (b"reason=caf\xe9", b"\xed\xa0\x80=1"):
        request = b"POST /snapshots?" + query + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert b"HTTP/1.1 400 " in exchange(server, request)

    assert process.snapshots.outcomes["written"] == 0


def test_a_header_with_an_underscore_is_dropped(server: HttpServer) -> None:
    raw = b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nSec_Fetch_Site: none\r\n\r\n"

    assert b" 403 " in exchange(server, raw.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))


@pytest.mark.parametrize("line_ends", [b"", b"\r\n"])
def test_ten_megabytes_of_header_are_refused_and_the_answer_arrives(server: HttpServer, line_ends: bytes) -> None:
    header = (b"X-Long: " + b"x" * 8000 + line_ends) * (10 * 1024 * 1024 // 8000)

    answer = exchange(server, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"longer than 32 KiB" in answer


def test_a_body_that_the_application_does_not_read_does_not_destroy_the_answer(server: HttpServer) -> None:
    body = b"x" * 60_000

    answer = exchange(
        server,
        b"POST /nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
    )

    assert answer.startswith(b"HTTP/1.1 404 ")


def test_a_body_that_does_not_arrive_is_answered_408(
    server: HttpServer, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heap_exporter.web.server.REQUEST_SECONDS", 0.2)

    answer = exchange(server, FORM % 60_000 + b"\r\nreason=")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert process.snapshots.outcomes["written"] == 0


def test_bodies_that_arrive_byte_by_byte_hold_up_no_scrape(server: HttpServer) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(server, FORM % 60_000 + b"\r\n")) for _ in range(4 * WORKERS)]
        for _ in range(20):
            for client in slow:
                client.sendall(b"r")

            assert fetch(server, "GET", "/metrics")[0] == 200
            assert server._workers.waiting == 0


def test_a_body_may_arrive_in_pieces_and_the_connection_stays_open(server: HttpServer, process: Process) -> None:
    with connect(server, FORM % 11) as client:
        for piece in (b"\r", b"\nreas", b"on=cur", b"l" + FORM % 10 + b"Connection: close\r\n\r\nreason=two"):
            time.sleep(0.05)  # so that the pieces arrive one by one
            client.sendall(piece)

        assert read_all(client).count(b"HTTP/1.1 201 ") == 2
    assert sorted(info.reason for info in process.snapshots.store.list()) == ["curl", "two"]


def test_a_client_that_waits_for_the_permission_to_send_its_body_gets_it(server: HttpServer, process: Process) -> None:
    with connect(server, FORM % 11 + b"Expect: 100-continue\r\nConnection: close\r\n\r\n") as client:
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"reason=curl")

        assert read_all(client).startswith(b"HTTP/1.1 201 ")
    assert [info.reason for info in process.snapshots.store.list()] == ["curl"]


def test_endless_answers_leave_turns_for_other_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.web.server.QUEUE_SECONDS", 0.5)
    ages: dict[int, float] = {}
    answers: dict[int, bytes] = {}
    ended = threading.Event()

    def endless(number: int) -> Iterator[bytes]:
        began = time.monotonic()
        while not ended.wait(0.005):
            ages[number] = time.monotonic() - began
            yield b"x" * 8192

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        number = int(environ["PATH_INFO"][1:] or 0)
        start_response("200 OK", [("Content-Length", str(1 << 50) if number else "2")])
        return endless(number) if number else [b"ok"]

    def read_on(server: HttpServer, number: int) -> None:
        with connect(server, b"GET /%d HTTP/1.0\r\n\r\n" % number) as client:
            answers[number] = client.recv(65536)
            while data := client.recv(65536):
                answers[number] = data

    with serving(app) as server:
        readers = [threading.Thread(target=read_on, args=(server, number)) for number in range(1, 2 * WORKERS)]
        for reader in readers:
            reader.start()
        try:
            until(lambda: len(ages) == len(readers))

            assert exchange(server, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
            until(lambda: all(age > 0.7 for age in ages.values()))  # each answer continues
        finally:
            ended.set()
            for reader in readers:
                reader.join()
        assert not any(b"503" in answer for answer in answers.values())


def slow_reader(server: HttpServer, stack: ExitStack) -> socket.socket:
    """Return a client that requests `/long` and has read nothing."""
    client = stack.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(WAIT_SECONDS)
    client.connect((server.host, server.port))
    client.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return client


@pytest.mark.parametrize("as_file", [True, False])
def test_slow_readers_of_50_megabytes_hold_up_no_scrape(as_file: bool, tmp_path: Path) -> None:
    size = 50_000_000
    (tmp_path / "file").write_bytes(bytes(size))

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/long":
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        if as_file:
            return send_file(tmp_path / "file", environ, "application/octet-stream")(environ, start_response)
        start_response("200 OK", [("Content-Length", str(size))])
        return (bytes(50_000) for _ in range(size // 50_000))

    with serving(app) as server, ExitStack() as stack:
        late = [slow_reader(server, stack) for _ in range(2 * WORKERS)]
        for client in late:
            client.recv(4096)  # so that all are being answered

        began = time.monotonic()
        assert all(fetch(server, "GET", "/")[0] == 200 for _ in range(10))
        assert time.monotonic() - began < 10 * SCRAPE_SECONDS
        assert len(read_all(late[0])) > size - 4096


def test_a_client_that_reads_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.web.server.STALL_SECONDS", 0.2)
    closed = threading.Event()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield bytes(65536)
        finally:
            closed.set()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return endless()

    with serving(app) as server, ExitStack() as stack:
        slow_reader(server, stack)

        assert closed.wait(WAIT_SECONDS)


def test_a_connection_serves_many_requests_also_if_all_arrive_together(server: HttpServer) -> None:
    request = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n"

    answer = exchange(server, (request + b"\r\n") * 4 + request + b"Connection: close\r\n\r\n")

    assert answer.count(b"HTTP/1.1 200 OK") == 5


def test_a_request_that_arrives_byte_by_byte_is_answered(server: HttpServer) -> None:
    with connect(server) as client:
        for byte in b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n":
            client.send(bytes([byte]))

        assert read_all(client).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /metrics HTTP/1.1\r\nHost: loc", b"GET /metrics HTTP/1.1\r\n" * 100])
def test_slow_clients_hold_up_no_scrape(server: HttpServer, sent: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS // 2):
            stack.enter_context(connect(server, sent))

        assert all(fetch(server, "GET", "/metrics")[0] == 200 for _ in range(20))


@pytest.mark.parametrize("sent", [b"", b"GET /metrics HTTP/1.1\r\nHo"])
def test_300_silent_clients_hold_up_no_scrape(server: HttpServer, sent: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(connect(server, sent))

        for _ in range(5):
            began = time.monotonic()
            assert fetch(server, "GET", "/metrics")[0] == 200
            assert time.monotonic() - began < SCRAPE_SECONDS


def test_with_more_clients_than_places_the_oldest_silent_client_is_closed(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heap_exporter.web.server.PROTECTED_SECONDS", 0.2)
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(server, b"GET")) for _ in range(2 * MAX_CONNECTIONS)]

        assert fetch(server, "GET", "/metrics")[0] == 200
        assert read_all(slow[0]) == b""


def test_a_head_that_does_not_end_is_answered_408(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.web.server.REQUEST_SECONDS", 0.2)

    answer = exchange(server, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_silent_client_is_closed(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.web.server.REQUEST_SECONDS", 0.2)

    assert exchange(server, b"") == b""


def test_requests_that_wait_too_long_for_a_worker_are_answered_503(monkeypatch: pytest.MonkeyPatch) -> None:
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    entered, go = threading.Semaphore(0), threading.Event()

    def slow_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        entered.release()
        go.wait(WAIT_SECONDS)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with serving(slow_app) as server, ExitStack() as stack:
        busy = []
        for _ in range(WORKERS):
            busy.append(stack.enter_context(connect(server, request)))
            assert entered.acquire(timeout=WAIT_SECONDS)
        waiting = stack.enter_context(connect(server, request))
        until(lambda: server._workers.waiting == 1)
        monkeypatch.setattr("heap_exporter.web.server.QUEUE_SECONDS", 0.2)

        assert exchange(server, request).startswith(b"HTTP/1.1 503 ")
        go.set()
        assert all(read_all(client).startswith(b"HTTP/1.1 200 ") for client in (*busy, waiting))


@pytest.mark.parametrize("failure", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_a_worker_survives_every_exception_of_the_application(failure: type[BaseException]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/fail":
            raise failure
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with serving(app) as server:
        for _ in range(WORKERS + 1):
            exchange(server, b"GET /fail HTTP/1.1\r\nHost: localhost\r\n\r\n")

        assert fetch(server, "GET", "/")[0] == 200
