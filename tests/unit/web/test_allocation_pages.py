"""The routes of sampled allocations: JSON by line and by stack, profiles, and what starts and stops sampling."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from heap_exporter.errors import AllocationsUnavailable
from heap_exporter.model import AllocationHooks
from tests.doubles.allocation_samplers import CREATE, DECODE, HANDLE, site
from tests.doubles.web_source import Process, json_of

HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:9465"}


@pytest.fixture
def process(tmp_path: Path) -> Process:
    made = Process(tmp_path)
    made.allocations.sites = (
        site(1, CREATE, HANDLE, live=5000.0, error=40.0),
        site(2, DECODE, CREATE, HANDLE, live=9000.0, error=70.0),
        site(3, live=300.0),
    )
    return made


@pytest.fixture
def client(process: Process) -> Client:
    process.allocations.state = AllocationHooks.LIGHT
    return Client(process.app())


def fetch(client: Client, path: str, method: str = "GET") -> TestResponse:
    return client.open(path, method=method, environ_overrides=HERE)


def test_allocations_are_listed_by_line_and_by_stack(client: Client) -> None:
    document = json_of(fetch(client, "/allocations"))

    assert [(line["file"], line["bytes"], line["plus_minus_bytes"]) for line in document["lines"]] == [
        ("json/decoder.py", 9000, 70),
        ("shop/sessions.py", 5000, 40),
    ]
    assert document["lines"][0]["caller"] == {"file": "shop/sessions.py", "line": 41, "function": "create"}
    assert [stack["live_bytes"] for stack in document["stacks"]] == [9000, 5000, 300]
    assert [call["function"] for call in document["stacks"][0]["calls"]] == ["raw_decode", "create", "handle"]
    assert (document["live_bytes"], document["hooks"], document["interval_bytes"]) == (14_300, "light", 131_072)


def test_growth_of_some_seconds_is_the_difference_of_two_profiles(
    process: Process, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow(seconds: float) -> None:
        process.allocations.sites = (
            *process.allocations.sites[1:],
            site(1, CREATE, HANDLE, live=5000.0 + 100 * seconds),
        )

    monkeypatch.setattr("heap_exporter.web.allocation_pages.time.sleep", grow)

    document = json_of(fetch(client, "/allocations?seconds=30"))

    assert [(line["file"], line["bytes"]) for line in document["lines"]] == [("shop/sessions.py", 3000)]


@pytest.mark.parametrize("seconds", ["", "0", "61", "-1", "1.5", "x"])
def test_a_time_that_is_not_possible_is_a_bad_request(client: Client, seconds: str) -> None:
    assert [
        fetch(client, f"{path}?seconds={seconds}").status_code for path in ("/debug/pprof/heap", "/allocations")
    ] == [400, 400]


def test_one_request_at_a_time_waits_for_growth(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, go = threading.Event(), threading.Event()

    def wait(_seconds: float) -> None:
        waiting.set()
        go.wait()

    monkeypatch.setattr("heap_exporter.web.allocation_pages.time.sleep", wait)
    first: list[Any] = []
    thread = threading.Thread(target=lambda: first.append(fetch(client, "/debug/pprof/heap?seconds=60")))
    thread.start()
    waiting.wait()
    second = fetch(client, "/debug/pprof/heap?seconds=60")
    go.set()
    thread.join()

    assert (first[0].status_code, second.status_code, second.headers["Retry-After"]) == (200, 429, "60")


@pytest.mark.parametrize("path", ["/allocations", "/debug/pprof/heap", "/debug/pprof/allocs"])
@pytest.mark.parametrize("hooks", [AllocationHooks.OFF, AllocationHooks.DISPLACED])
def test_without_samples_the_answer_says_how_to_start(process: Process, path: str, hooks: AllocationHooks) -> None:
    process.allocations.state = hooks

    answer = fetch(Client(process.app()), path)

    assert answer.status_code == 409
    assert "POST /allocations?state=on" in json_of(answer)["detail"]


def test_sampling_is_started_and_stopped(process: Process) -> None:
    client = Client(process.app())

    states = [json_of(fetch(client, f"/allocations?state={state}", "POST"))["hooks"] for state in ("on", "on", "off")]

    assert states == ["light", "light", "off"]
    assert fetch(client, "/allocations", "POST").status_code == 400


def test_sampling_that_is_not_possible_is_a_conflict(process: Process) -> None:
    process.allocations.problem = AllocationsUnavailable("no_extension", "there is no extension")

    answer = fetch(Client(process.app()), "/allocations?state=on", "POST")

    assert (answer.status_code, json_of(answer)["detail"]) == (409, "there is no extension")


def test_the_profiles_are_listed(client: Client) -> None:
    assert fetch(client, "/debug/pprof/").text.startswith("heap: ")


@pytest.mark.parametrize("path", ["/allocations", "/debug/pprof/heap", "/debug/pprof/allocs", "/debug/pprof/"])
def test_a_token_protects_the_routes(process: Process, path: str) -> None:
    assert fetch(Client(process.app("secret")), path).status_code == 401
