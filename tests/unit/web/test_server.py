import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.errors import PortTaken, SettingsError
from heap_exporter.web.connection import Connection
from heap_exporter.web.server import MOST_CONNECTIONS, STOP_SECONDS, WORKERS, Server
from tests.web_source import WAIT_SECONDS, Process, ask, exchange, read_all, serving

STOPPED_IN_SECONDS = 2.0


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path / "snapshots")


@pytest.fixture
def server(process: Process) -> Iterator[Server]:
    with serving(process.app()) as running:
        yield running


FORM = (
    b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: %d\r\n"
)


def connect(server: Server, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS)
    client.sendall(sent)
    return client


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("heap-exporter")]


def until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not fact():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_snapshot_is_taken_over_a_real_socket(server: Server, process: Process) -> None:
    status, headers, told = ask(server, "POST", "/snapshots?reason=curl")

    assert status == 201
    assert headers["Location"] == f"/snapshots/{told['id']}"
    assert [info.reason for info in process.snapshots.store.list()] == ["curl"]


def test_of_two_posts_at_once_one_is_201_and_the_other_429(server: Server, process: Process) -> None:
    process.walker.hold()
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(server, "POST", "/snapshots")[0])) for _ in range(2)]
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
def test_no_path_leads_out_of_the_folder(server: Server, path: str) -> None:
    status, headers, told = ask(server, "GET", path)

    assert status == 404
    assert headers["Content-Type"] == "application/problem+json"
    assert "root:" not in str(told)


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
def test_a_malformed_request_is_told_what_is_wrong_and_the_next_is_answered(
    server: Server, process: Process, raw: bytes, status: int
) -> None:
    answer = exchange(server, raw)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in answer
    assert b'"detail"' in answer
    assert ask(server, "GET", "/metrics")[0] == 200
    assert process.snapshots.outcomes["written"] == 0


def test_a_header_with_an_underscore_is_no_header(server: Server) -> None:
    raw = b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nSec_Fetch_Site: none\r\n\r\n"

    assert b" 403 " in exchange(server, raw.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))


@pytest.mark.parametrize("line_ends", [b"", b"\r\n"])
def test_ten_megabytes_of_header_are_refused_and_the_answer_arrives(server: Server, line_ends: bytes) -> None:
    header = (b"X-Long: " + b"x" * 8000 + line_ends) * (10 * 1024 * 1024 // 8000)

    answer = exchange(server, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"longer than 32 KiB" in answer


def test_a_body_that_nobody_reads_does_not_destroy_the_answer(server: Server) -> None:
    body = b"x" * 60_000

    answer = exchange(
        server,
        b"POST /nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
    )

    assert answer.startswith(b"HTTP/1.1 404 ")


def test_a_promised_body_that_never_comes_is_given_up(
    server: Server, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heap_exporter.web.server.REQUEST_SECONDS", 0.2)

    answer = exchange(server, FORM % 60_000 + b"\r\nreason=")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert process.snapshots.outcomes["written"] == 0


def test_bodies_that_drip_hold_up_no_scrape(server: Server) -> None:
    with ExitStack() as stack:
        drips = [stack.enter_context(connect(server, FORM % 60_000 + b"\r\n")) for _ in range(4 * WORKERS)]
        for _ in range(20):
            for drip in drips:
                drip.sendall(b"r")

            assert ask(server, "GET", "/metrics")[0] == 200
            assert server._jobs.qsize() == 0


def test_a_body_may_come_in_pieces_and_the_connection_goes_on(server: Server, process: Process) -> None:
    with connect(server, FORM % 11) as client:
        for piece in (b"\r", b"\nreas", b"on=cur", b"l" + FORM % 10 + b"Connection: close\r\n\r\nreason=two"):
            time.sleep(0.05)  # so that they come apart
            client.sendall(piece)

        assert read_all(client).count(b"HTTP/1.1 201 ") == 2
    assert sorted(info.reason for info in process.snapshots.store.list()) == ["curl", "two"]


def test_long_answers_go_on_until_somebody_waits_for_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.web.connection.ANSWER_SECONDS", 0.2)
    ages: dict[int, float] = {}
    ended = threading.Event()

    def endless() -> Iterator[bytes]:
        began = time.monotonic()
        while not ended.wait(0.005):
            ages[threading.get_ident()] = time.monotonic() - began
            yield b"x" * 8192

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        is_long = environ["PATH_INFO"] == "/long"
        start_response("200 OK", [("Content-Length", str(1 << 50) if is_long else "2")])
        return endless() if is_long else [b"ok"]

    def read_on(server: Server) -> None:
        with connect(server, b"GET /long HTTP/1.0\r\n\r\n") as client:
            while client.recv(65536):
                pass

    with serving(app) as server:
        readers = [threading.Thread(target=read_on, args=(server,)) for _ in range(WORKERS)]
        for reader in readers:
            reader.start()
        try:
            until(lambda: [age > 0.4 for age in ages.values()] == [True] * WORKERS)

            assert exchange(server, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        finally:
            ended.set()
            for reader in readers:
                reader.join()


def test_an_ordinary_answer_that_is_read_late_holds_no_worker() -> None:
    answered = threading.Semaphore(0)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(100_000))])
        yield b"x" * 100_000
        answered.release()

    with serving(app) as server, ExitStack() as stack:
        late = []
        for _ in range(2 * WORKERS):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(WAIT_SECONDS)
            client.connect((server.host, server.port))
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            late.append(client)

        assert all(answered.acquire(timeout=WAIT_SECONDS) for _ in late)
        assert all(len(read_all(client)) > 100_000 for client in late)


def test_a_connection_serves_many_requests_even_sent_all_at_once(server: Server) -> None:
    request = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n"

    answer = exchange(server, (request + b"\r\n") * 4 + request + b"Connection: close\r\n\r\n")

    assert answer.count(b"HTTP/1.1 200 OK") == 5


def test_a_request_that_comes_byte_by_byte_is_answered(server: Server) -> None:
    with connect(server) as client:
        for byte in b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n":
            client.send(bytes([byte]))

        assert read_all(client).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /metrics HTTP/1.1\r\nHost: loc", b"GET /metrics HTTP/1.1\r\n" * 100])
def test_slow_clients_hold_up_no_scrape(server: Server, sent: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS // 2):
            stack.enter_context(connect(server, sent))

        assert all(ask(server, "GET", "/metrics")[0] == 200 for _ in range(20))


def test_more_clients_than_there_is_room_for_cost_the_oldest_its_place(server: Server) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(server, b"GET")) for _ in range(2 * MOST_CONNECTIONS)]

        assert ask(server, "GET", "/metrics")[0] == 200
        assert read_all(slow[0]) == b""


def test_a_head_that_never_ends_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.web.server.REQUEST_SECONDS", 0.2)

    answer = exchange(server, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_silent_client_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.web.server.REQUEST_SECONDS", 0.2)

    assert exchange(server, b"") == b""


def test_more_requests_than_may_wait_are_told_so(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.web.server.MOST_WAITING", 1)
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
        until(lambda: server._jobs.qsize() == 1)

        assert exchange(server, request).startswith(b"HTTP/1.1 503 ")
        go.set()
        assert all(read_all(client).startswith(b"HTTP/1.1 200 ") for client in (*busy, waiting))


@pytest.mark.parametrize("failure", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_a_worker_survives_whatever_it_answers(failure: type[BaseException]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/fail":
            raise failure
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with serving(app) as server:
        for _ in range(WORKERS + 1):
            exchange(server, b"GET /fail HTTP/1.1\r\nHost: localhost\r\n\r\n")

        assert ask(server, "GET", "/")[0] == 200


def test_stopping_ends_threads_and_sockets_whatever_clients_do(process: Process) -> None:
    process.walker.hold()
    with serving(process.app()) as server, ExitStack() as stack:
        for sent in (
            b"",
            b"GET / HT",
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
        ):
            stack.enter_context(connect(server, sent))
        stack.enter_context(connect(server, b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        assert process.walker.walking.wait(WAIT_SECONDS)
        descriptors = [server._listener.fileno(), *(connection.socket.fileno() for connection in server._open)]

        began = time.monotonic()
        server.stop()

        assert time.monotonic() - began < STOPPED_IN_SECONDS
        assert STOP_SECONDS < STOPPED_IN_SECONDS
        assert not any(is_open(descriptor) for descriptor in descriptors)
        with pytest.raises(ConnectionRefusedError):
            connect(server)
        process.walker.go.set()
        until(lambda: own_threads() == [])


def test_stopping_lets_an_answer_that_is_nearly_there_arrive(process: Process) -> None:
    process.walker.hold()
    with (
        serving(process.app()) as server,
        connect(server, b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\n\r\n") as client,
    ):
        assert process.walker.walking.wait(WAIT_SECONDS)
        threading.Timer(0.1, process.walker.go.set).start()

        server.stop()

        assert read_all(client).startswith(b"HTTP/1.1 201 ")


def test_a_server_that_never_served_can_be_stopped_and_its_port_is_free_again() -> None:
    server = Server(lambda environ, start_response: [], "127.0.0.1", 0)
    server.stop()
    server.stop()

    with serving(lambda environ, start_response: [], port=server.port) as again:
        assert again.port == server.port


@pytest.mark.parametrize("failing", ["socket.socketpair", "selectors.DefaultSelector"])
def test_a_server_that_cannot_be_made_leaves_its_port_free(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("too many open files")

    before = set(os.listdir("/dev/fd"))
    monkeypatch.setattr(failing, fail)
    with pytest.raises(OSError, match="too many open files") as caught:
        Server(lambda environ, start_response: [], "127.0.0.1", 0)

    assert caught.traceback  # which keeps the half-made server alive
    assert set(os.listdir("/dev/fd")) == before


def test_every_thread_is_a_daemon_with_our_name(server: Server) -> None:
    until(lambda: len(own_threads()) == WORKERS + 1)

    assert all(thread.daemon for thread in own_threads())


def test_a_port_that_is_taken_is_a_clear_error(server: Server) -> None:
    with pytest.raises(PortTaken, match="HEAP_EXPORTER_PORT"):
        Server(lambda environ, start_response: [], server.host, server.port)


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "not a host", "x" * 300])
def test_an_address_that_is_not_ours_is_a_clear_error(host: str) -> None:
    with pytest.raises(SettingsError, match="HEAP_EXPORTER_HOST"):
        Server(lambda environ, start_response: [], host, 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("::1", "http://[::1]:"),
        ("[::1]", "http://[::1]:"),
        ("::", "http://[::1]:"),
        ("0.0.0.0", "http://127.0.0.1:"),
        ("localhost", "http://"),
    ],
)
def test_hosts_of_every_kind_work(process: Process, host: str, url: str) -> None:
    with serving(process.app(), host=host) as server:
        assert server.url.startswith(url)
        with closing(
            socket.create_connection(
                (server.url.split("/")[2].rsplit(":", 1)[0].strip("[]"), server.port), WAIT_SECONDS
            )
        ) as client:
            client.sendall(b"GET /verdict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert read_all(client).startswith(b"HTTP/1.1 200 ")


def test_without_free_descriptors_the_loop_neither_dies_nor_spins(tmp_path: Path) -> None:
    program = """
import os, resource, socket, time
from heap_exporter.web.connection import Connection
from heap_exporter.web.server import Server
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
server = Server(app, "127.0.0.1", 0)
server.start()
client = socket.create_connection((server.host, server.port)); client.close()
waiting = socket.socket()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
hoard = []
try:
    while True: hoard.append(os.open(os.devnull, os.O_RDONLY))
except OSError: pass
waiting.connect((server.host, server.port))
before = time.process_time()
time.sleep(1)
print(time.process_time() - before < 0.3)
for descriptor in hoard: os.close(descriptor)
waiting.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(waiting.recv(100).startswith(b"HTTP/1.1 200"))
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert told.stdout.split() == ["True", "True"]


def test_a_forked_child_gives_up_its_sockets_and_the_parent_goes_on(process: Process) -> None:
    with serving(process.app()) as server, connect(server, b"GET /metrics HTTP/1.1\r\n") as client:
        until(lambda: len(server._open) == 1)
        inherited = [server._listener.fileno(), server._waker.fileno(), server._woken.fileno()]
        inherited += [connection.socket.fileno() for connection in server._open]
        child = os.fork()
        if child == 0:
            code = 1
            try:
                server.abandon()
                server.stop()
                code = 2 * any(is_open(descriptor) for descriptor in inherited)
            finally:
                os._exit(code)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        client.sendall(b"Host: localhost\r\nConnection: close\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 200 ")
        assert ask(server, "GET", "/metrics")[0] == 200


def test_a_closed_connection_waits_for_no_collector_to_give_back_its_descriptor(server: Server) -> None:
    def descriptors_after_scrapes() -> int:
        for _ in range(30):
            assert exchange(server, b"GET /metrics HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
        until(lambda: not server._open)
        return len(os.listdir("/dev/fd"))

    gc.disable()
    try:
        assert descriptors_after_scrapes() == descriptors_after_scrapes()
        assert not [found for found in gc.get_objects() if type(found) is Connection]
    finally:
        gc.enable()


def test_nothing_is_printed_into_the_applications_stderr(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    for raw in (b"nonsense\r\n\r\n", b"GET /metrics HTTP/1.1\r\n\r\n"):
        with connect(server, raw):
            pass
    with connect(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    ask(server, "GET", "/metrics")

    assert capfd.readouterr() == ("", "")
