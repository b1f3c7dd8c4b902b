"""Requests of the commands to servers that send without end, byte by byte, or another status."""

from __future__ import annotations

import http.client
import urllib.request

import pytest

from heap_exporter.runtime.http_client import fetch
from tests.doubles.malicious_servers import FLOODS, TRICKLES, endless_server, gzip_bomb, little_memory

PATIENCE_SECONDS = 20.0


@pytest.mark.parametrize("name", FLOODS)
def test_an_answer_without_end_is_an_error_and_uses_little_memory(name: str) -> None:
    with endless_server(*FLOODS[name]) as url, little_memory():
        with pytest.raises(http.client.HTTPException, match="the answer is larger than"):
            fetch(urllib.request.Request(url), PATIENCE_SECONDS)


@pytest.mark.parametrize("name", TRICKLES)
def test_an_answer_that_trickles_is_an_error_at_the_time_limit(name: str) -> None:
    with endless_server(*TRICKLES[name], pause_seconds=0.05) as url:
        with pytest.raises(TimeoutError, match="no complete answer within"):
            fetch(urllib.request.Request(url), 0.4)


def test_a_compressed_answer_is_not_decompressed() -> None:
    with endless_server(gzip_bomb(), b"") as url, little_memory():
        assert fetch(urllib.request.Request(url), PATIENCE_SECONDS).body.startswith(b"\x1f\x8b")


def test_a_redirect_is_an_answer_like_any_other() -> None:
    with endless_server(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 2\r\n\r\nno", b"") as url:
        answer = fetch(urllib.request.Request(url, method="POST"), PATIENCE_SECONDS)

    assert (answer.status, answer.reason, answer.body) == (302, "Found", b"no")
