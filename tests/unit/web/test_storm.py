"""Many requests for a snapshot at once."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from heap_exporter.snapshot.turns import BURST_REQUESTS
from heap_exporter.web.server import MAX_CONNECTIONS, HttpServer
from tests.doubles.web_source import WAIT_SECONDS, Process, connect, fetch, read_all, until


def test_requests_one_after_the_other_are_all_served(server: HttpServer) -> None:
    assert [fetch(server, "POST", "/snapshots")[0] for _ in range(10)] == [201] * 10


def test_many_requests_at_once_are_answered_429_with_a_retry_time(server: HttpServer, process: Process) -> None:
    process.walker.hold()
    first = threading.Thread(target=fetch, args=(server, "POST", "/snapshots"))
    first.start()
    assert process.walker.walking.wait(10)
    for _ in range(BURST_REQUESTS):
        assert fetch(server, "POST", "/snapshots")[0] == 429
    process.walker.go.set()
    first.join()

    status, headers, document = fetch(server, "POST", "/snapshots")

    assert status == 429
    assert 5 < int(headers["Retry-After"]) <= 10
    assert "too many snapshots were requested at once" in document["detail"]
    assert process.snapshots.take("the application's own").reason == "the application's own"


def test_a_crowd_costs_no_more_descriptors_than_there_are_places(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in ("PROTECTED_SECONDS", "REQUEST_SECONDS"):  # this test's clients are slow
        monkeypatch.setattr(f"heap_exporter.web.server.{seconds}", WAIT_SECONDS)
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(server)) for _ in range(4 * MAX_CONNECTIONS)]
        until(lambda: len(server._connections) == MAX_CONNECTIONS)
        for client in crowd:
            client.sendall(b"GET /-/healthy HTTP/1.0\r\n\r\n")

        assert all(read_all(client).startswith(b"HTTP/1.1 200 ") for client in crowd)
        assert len(server._connections) <= MAX_CONNECTIONS
