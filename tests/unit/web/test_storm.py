"""A thousand who ask for a snapshot at once."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from heap_exporter.snapshot.turns import CROWD
from heap_exporter.web.server import MAX_CONNECTIONS, Server
from tests.doubles.web_source import WAIT_SECONDS, Process, ask, connect, read_all, until


def test_who_asks_again_and_again_one_after_the_other_is_served(server: Server) -> None:
    assert [ask(server, "POST", "/snapshots")[0] for _ in range(10)] == [201] * 10


def test_a_crowd_is_told_when_it_may_come_back(server: Server, process: Process) -> None:
    process.walker.hold()
    first = threading.Thread(target=ask, args=(server, "POST", "/snapshots"))
    first.start()
    assert process.walker.walking.wait(10)
    for _ in range(CROWD):
        assert ask(server, "POST", "/snapshots")[0] == 429
    process.walker.go.set()
    first.join()

    status, headers, told = ask(server, "POST", "/snapshots")

    assert status == 429
    assert 5 < int(headers["Retry-After"]) <= 10
    assert "many asked for a snapshot at once" in told["detail"]
    assert process.snapshots.take("the application's own").reason == "the application's own"


def test_a_crowd_costs_no_more_descriptors_than_there_are_places(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in ("SPARED_SECONDS", "REQUEST_SECONDS"):  # none is to lose its place for being slow
        monkeypatch.setattr(f"heap_exporter.web.server.{seconds}", WAIT_SECONDS)
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(server)) for _ in range(4 * MAX_CONNECTIONS)]
        until(lambda: len(server._open) == MAX_CONNECTIONS)
        for client in crowd:
            client.sendall(b"GET /-/healthy HTTP/1.0\r\n\r\n")

        assert all(read_all(client).startswith(b"HTTP/1.1 200 ") for client in crowd)
        assert len(server._open) <= MAX_CONNECTIONS
