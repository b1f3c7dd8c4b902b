"""A thousand clients that request a snapshot at once, from real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from heap_exporter.web.workers import WORKERS
from tests.processes.request_storm import process_with_server, storm

CLIENTS = 1000
THREADS = 1 + 1 + 1 + WORKERS
"""The main thread, the one that measures delays, the server's loop, and its workers."""


def print_latency(calm: list[float], stormy: list[float]) -> None:
    shares = ("half", "90 %", "99 %", "all")
    for share, before, during in zip(shares, calm, stormy, strict=True):
        print(f"{share:>5} of the heartbeats were late by up to {before:6.2f} ms before, {during:6.2f} ms meanwhile")


@pytest.mark.parametrize("objects", [30_000, 200_000])
def test_of_a_thousand_requests_at_once_one_is_served_and_all_others_get_429_with_retry_after(
    tmp_path: Path, objects: int
) -> None:
    with process_with_server(tmp_path, objects) as state:
        port = state()["port"]
        calm = state()
        found = storm(port, clients=CLIENTS)
        stormy = state()

    print(f"\n{CLIENTS} were answered within {found.seconds:.1f} s")
    print_latency(calm["late_ms"], stormy["late_ms"])
    assert found.statuses == {201: 1, 429: CLIENTS - 1}
    assert found.without_retry == 0
    assert stormy["threads"] == THREADS
    assert stormy["outcomes"] == {**calm["outcomes"], "written": 1, "busy": CLIENTS - 1}
    assert [path.suffix for path in tmp_path.iterdir()] == [".heap"]


def test_of_a_thousand_requests_to_two_processes_that_share_a_folder_one_is_served(tmp_path: Path) -> None:
    with process_with_server(tmp_path, 200_000) as one, process_with_server(tmp_path, 200_000) as other:
        found = storm(one()["port"], other()["port"], clients=CLIENTS)
        written = [state()["outcomes"]["written"] for state in (one, other)]

    assert found.statuses == {201: 1, 429: CLIENTS - 1}
    assert sorted(written) == [0, 1]
    assert [path.suffix for path in tmp_path.iterdir()] == [".heap"]
