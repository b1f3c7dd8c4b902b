"""The server's port, threads and descriptors, from start to stop."""

import gc
import os
import socket
import threading
import time
from contextlib import ExitStack, closing

import pytest

from heap_exporter.errors import PortTaken, SettingsError
from heap_exporter.web.connection import Connection
from heap_exporter.web.server import REQUEST_SECONDS, STOP_SECONDS, HttpServer
from heap_exporter.web.workers import WORKERS
from tests.doubles.web_source import WAIT_SECONDS, Process, connect, exchange, fetch, read_all, serving, until

STOPPED_IN_SECONDS = 2.0


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("heap-exporter")]


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine, or container, has no IPv6")


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


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
        sockets = *server._listeners, *(connection.socket for connection in server._connections)
        descriptors = [each.fileno() for each in sockets]

        began = time.monotonic()
        server.stop()

        assert time.monotonic() - began < REQUEST_SECONDS  # it waited for no client
        assert STOP_SECONDS < STOPPED_IN_SECONDS
        assert not any(is_open(descriptor) for descriptor in descriptors)
        with pytest.raises(ConnectionRefusedError):
            connect(server)
        process.walker.go.set()
        until(lambda: own_threads() == [])


def test_stopping_waits_a_moment_for_unfinished_answers(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.web.server.STOP_GRACE_SECONDS", WAIT_SECONDS)
    process.walker.hold()
    with (
        serving(process.app()) as server,
        connect(server, b"POST /snapshots HTTP/1.1\r\nHost: localhost\r\n\r\n") as client,
    ):
        assert process.walker.walking.wait(WAIT_SECONDS)
        threading.Timer(0.1, process.walker.go.set).start()

        server.stop()

        assert read_all(client).startswith(b"HTTP/1.1 201 ")


def test_a_server_that_was_not_started_can_be_stopped_and_its_port_is_free_again() -> None:
    server = HttpServer(lambda environ, start_response: [], "127.0.0.1", 0)
    server.stop()
    server.stop()

    with serving(lambda environ, start_response: [], port=server.port) as again:
        assert again.port == server.port


@pytest.mark.parametrize("failing", ["socket.socketpair", "selectors.DefaultSelector"])
def test_a_server_that_cannot_be_created_closes_its_descriptors(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("too many open files")

    before = set(os.listdir("/dev/fd"))
    monkeypatch.setattr(failing, fail)
    with pytest.raises(OSError, match="too many open files") as caught:
        HttpServer(lambda environ, start_response: [], "127.0.0.1", 0)

    assert caught.traceback  # it refers to the incomplete server
    assert set(os.listdir("/dev/fd")) <= before


def test_every_thread_is_a_daemon_named_after_the_product(server: HttpServer) -> None:
    until(lambda: len(own_threads()) == WORKERS + 1)

    assert all(thread.daemon for thread in own_threads())


def test_a_port_that_is_taken_is_a_clear_error_if_it_must_be_this_one(server: HttpServer) -> None:
    with pytest.raises(PortTaken, match="HEAP_EXPORTER_PORT"):
        HttpServer(lambda environ, start_response: [], server.host, server.port, strict=True)


def test_a_port_that_is_taken_is_served_too_once_it_is_free(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.web.server.PORT_RETRY_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as other:
        wanted = other.getsockname()[1]
        with serving(process.app(), port=wanted) as server:
            first = server.port
            assert server.is_port_taken
            assert fetch(server, "GET", "/-/healthy")[0] == 200

            other.close()
            until(lambda: not server.is_port_taken)

            assert (server.port, server.url) == (wanted, f"http://127.0.0.1:{wanted}/")
            for port in (first, wanted):
                with closing(socket.create_connection((server.host, port), WAIT_SECONDS)) as client:
                    client.sendall(b"GET /-/healthy HTTP/1.0\r\nHost: localhost\r\n\r\n")
                    assert read_all(client).startswith(b"HTTP/1.1 200 ")
        for port in (first, wanted):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((server.host, port), WAIT_SECONDS)


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "not a host", "x" * 300])
def test_an_address_of_another_machine_is_a_clear_error(host: str) -> None:
    with pytest.raises(SettingsError, match="HEAP_EXPORTER_HOST"):
        HttpServer(lambda environ, start_response: [], host, 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        pytest.param("::1", "http://[::1]:", marks=IPV6),
        pytest.param("[::1]", "http://[::1]:", marks=IPV6),
        pytest.param("::", "http://[::1]:", marks=IPV6),
        ("0.0.0.0", "http://127.0.0.1:"),
        ("localhost", "http://"),
    ],
)
def test_the_host_may_be_an_address_or_a_name_of_ipv4_or_ipv6(process: Process, host: str, url: str) -> None:
    with serving(process.app(), host=host) as server:
        assert server.url.startswith(url)
        with closing(
            socket.create_connection(
                (server.url.split("/")[2].rsplit(":", 1)[0].strip("[]"), server.port), WAIT_SECONDS
            )
        ) as client:
            client.sendall(b"GET /verdict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert read_all(client).startswith(b"HTTP/1.1 200 ")


def test_a_closed_connection_needs_no_garbage_collector_to_release_its_descriptor(server: HttpServer) -> None:
    gc.collect()  # what other tests have left
    before = len(os.listdir("/dev/fd"))
    gc.disable()
    try:
        for _ in range(30):
            assert exchange(server, b"GET /metrics HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
        until(lambda: len(os.listdir("/dev/fd")) <= before)
        until(lambda: not [found for found in gc.get_objects() if type(found) is Connection])
    finally:
        gc.enable()


def test_nothing_is_printed_into_the_applications_stderr(server: HttpServer, capfd: pytest.CaptureFixture[str]) -> None:
    for raw in (b"nonsense\r\n\r\n", b"GET /metrics HTTP/1.1\r\n\r\n"):
        with connect(server, raw):
            pass
    with connect(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    fetch(server, "GET", "/metrics")

    assert capfd.readouterr() == ("", "")
