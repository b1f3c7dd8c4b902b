"""GET /lost: what C code lost from the first search to the last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse

from tests.doubles.web_source import Process, json_of

HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:9465"}


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path)


def lost(process: Process) -> TestResponse:
    return Client(process.app()).open("/lost", environ_overrides=HERE)


def test_the_answer_has_what_was_lost_and_what_the_search_saw(process: Process) -> None:
    document = json_of(lost(process))

    assert [(group["type_name"] or group["block_bytes"], group["blocks"]) for group in document["groups"]] == [
        ("bytes", 27),
        (3001, 9),
    ]
    assert document["after_at"] - document["before_at"] == 59
    assert document["search"]["heaps"] == 3


def test_before_two_searches_the_answer_says_how_to_get_them(process: Process) -> None:
    process.now = replace(process.now, lost=None)

    answer = lost(process)

    assert answer.status_code == 409
    assert "POST /snapshots" in json_of(answer)["detail"]
