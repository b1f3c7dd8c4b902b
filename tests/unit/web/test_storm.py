"""A thousand who ask for a snapshot at once."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from heap_exporter.snapshot.turns import CROWD
from heap_exporter.web.server import MAX_CONNECTIONS, Server
from heap_exporter.web.workers import WORKERS
from tests.doubles.web_source import WAIT_SECONDS, Process, ask, connect, read_all, until
from tests.processes.request_storm import asked_process, storm

CLIENTS = 1000
THREADS = 1 + 1 + 1 + WORKERS
"""The main thread, the one that watches, the server's loop, and its workers."""


def print_latency(calm: list[float], stormy: list[float]) -> None:
    shares = ("half", "90 %", "99 %", "all")
    for share, before, during in zip(shares, calm, stormy, strict=True):
        print(f"{share:>5} of the heartbeats were late by up to {before:6.2f} ms before, {during:6.2f} ms meanwhile")


@pytest.mark.parametrize("objects", [1000, 200_000])
def test_of_a_thousand_at_once_one_is_served_and_all_others_are_told_when_to_come_back(
    tmp_path: Path, objects: int
) -> None:
    with asked_process(tmp_path, objects) as told:
        port = told()["port"]
        calm = told()
        found = storm(port, clients=CLIENTS)
        stormy = told()

    print(f"\n{CLIENTS} were answered within {found.seconds:.1f} s")
    print_latency(calm["late_ms"], stormy["late_ms"])
    assert found.statuses == {201: 1, 429: CLIENTS - 1}
    assert found.without_retry == 0
    assert stormy["threads"] == THREADS
    assert stormy["outcomes"] == {**calm["outcomes"], "written": 1, "busy": CLIENTS - 1}
    assert [path.suffix for path in tmp_path.iterdir()] == [".heap"]


def test_of_a_thousand_at_once_at_two_workers_that_share_a_folder_one_is_served(tmp_path: Path) -> None:
    with asked_process(tmp_path, 200_000) as one, asked_process(tmp_path, 200_000) as other:
        found = storm(one()["port"], other()["port"], clients=CLIENTS)
        written = [told()["outcomes"]["written"] for told in (one, other)]

    assert found.statuses == {201: 1, 429: CLIENTS - 1}
    assert sorted(written) == [0, 1]
    assert [path.suffix for path in tmp_path.iterdir()] == [".heap"]


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
