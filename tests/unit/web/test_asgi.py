"""The pages as an ASGI application, without a server: the messages in and out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.web.asgi import AsgiApp
from heap_exporter.web.request import BODY_BYTES
from tests.doubles.web_source import Process

TOKEN = (b"authorization", b"Bearer t")


def exchange(app: AsgiApp, scope: dict[str, Any], *messages: dict[str, Any]) -> list[Any]:
    """Return what an application sends for a scope and the messages that it receives."""
    waiting, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def request(
    app: AsgiApp, path: str, *bodies: bytes, method: str = "GET", **scope: Any
) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers and the body of the answer to a request whose body comes in pieces."""
    messages = [
        {"type": "http.request", "body": body, "more_body": index < len(bodies)} for index, body in enumerate(bodies, 1)
    ]
    start, *chunks, last = exchange(
        app,
        {"type": "http", "method": method, "path": path, "headers": [TOKEN], **scope},
        *(messages or [{"type": "http.request"}]),
    )
    assert (start["type"], last) == (
        "http.response.start",
        {"type": "http.response.body", "body": b"", "more_body": False},
    )
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, b"".join(chunk["body"] for chunk in chunks)


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path / "snapshots")


@pytest.fixture
def app(process: Process) -> AsgiApp:
    return AsgiApp(process.app("t", trust_loopback=False))


def test_a_client_that_leaves_before_its_body_is_whole_gets_no_snapshot(app: AsgiApp, process: Process) -> None:
    scope = {"type": "http", "method": "POST", "path": "/snapshots", "headers": [TOKEN]}
    beginning = {"type": "http.request", "body": b"", "more_body": True}

    assert exchange(app, scope, beginning, {"type": "http.disconnect"}) == []
    assert process.snapshots.outcomes["written"] == 0


def test_a_page_is_answered_with_its_status_and_headers(app: AsgiApp) -> None:
    status, headers, body = request(app, "/metrics")

    assert (status, headers["content-type"]) == (200, "text/plain")
    assert int(headers["content-length"]) == len(body)
    assert request(app, "/snapshots", headers=[])[0] == 401


@pytest.mark.parametrize("path", ["/memory/snapshots", "/snapshots"])
def test_the_prefix_of_a_mounted_app_may_be_in_the_path_or_not(app: AsgiApp, path: str) -> None:
    status, headers, _ = request(app, path, method="POST", root_path="/memory", query_string=b"reason=why+not")

    assert status == 201
    assert headers["location"].startswith("/memory/snapshots/")


def test_a_body_may_come_in_pieces(app: AsgiApp, process: Process) -> None:
    headers = [TOKEN, (b"Content-Type", b"application/json")]
    answer = request(app, "/snapshots", b'{"reason": ', b'"caf\xc3\xa9"}', method="POST", headers=headers)

    assert json.loads(answer[2])["reason"] == "café"


def test_the_rest_of_a_body_that_is_too_long_is_not_awaited(app: AsgiApp, process: Process) -> None:
    headers = [TOKEN, (b"content-type", b"application/json")]
    endless = {"type": "http.request", "body": b"x" * (BODY_BYTES + 1), "more_body": True}
    scope = {"type": "http", "method": "POST", "path": "/snapshots", "headers": headers}

    assert exchange(app, scope, endless)[0]["status"] == 413
    assert process.snapshots.outcomes["written"] == 0


def test_a_snapshot_is_sent_in_pieces_and_its_file_is_closed(app: AsgiApp, process: Process) -> None:
    taken = process.snapshots.take("")

    status, headers, body = request(app, f"/snapshots/{taken.id}/file")

    assert (status, headers["content-disposition"]) == (200, f"attachment; filename={taken.id}.heap")
    assert body == taken.path.read_bytes()


def test_an_application_without_work_at_its_start_answers_the_server(app: AsgiApp) -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    assert exchange(app, {"type": "lifespan"}, *messages) == [
        {"type": "lifespan.startup.complete"},
        {"type": "lifespan.shutdown.complete"},
    ]


def test_a_websocket_is_refused(app: AsgiApp) -> None:
    assert exchange(app, {"type": "websocket"}) == [{"type": "websocket.close", "code": 1000}]
