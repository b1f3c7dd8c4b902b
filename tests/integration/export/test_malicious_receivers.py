"""Pushes to OTLP receivers that send without end, byte by byte, or a bomb: it costs little memory and ends in time."""

from __future__ import annotations

import sys
import threading
from concurrent import futures
from pathlib import Path
from queue import Queue

import grpc
import pytest

from heap_exporter.export.otlp import OtlpPusher
from heap_exporter.export.otlp_receiver import OtlpProtocol, OtlpReceiver
from tests.doubles.malicious_servers import FLOODS, MIB, TRICKLES, endless_server, gzip_bomb, little_memory
from tests.doubles.otlp_receivers import PATIENCE_SECONDS, skip_grpc_that_backs_off_for_a_minute
from tests.examples.readings import full_reading


def outcome(url: str, protocol: OtlpProtocol = OtlpProtocol.HTTP) -> str:
    """Push once, at a stop, and return the outcome."""
    outcomes: Queue[str] = Queue()
    stop = threading.Event()
    stop.set()
    pusher = OtlpPusher(OtlpReceiver(url, protocol, 3600, timeout_seconds=1), full_reading, outcomes.put)
    threading.Thread(target=pusher.run, args=[stop], daemon=True).start()
    return outcomes.get(timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("name", FLOODS)
def test_an_answer_without_end_uses_little_memory(name: str) -> None:
    with endless_server(*FLOODS[name]) as url, little_memory():
        assert outcome(url) == ("success" if "body" in name or "chunks" in name else "failure")


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
def test_a_gzip_bomb_uses_little_memory(status: str) -> None:
    bomb = gzip_bomb(status)
    with endless_server(bomb, b"") as url, little_memory():
        assert outcome(url) == ("success" if "OK" in status else "failure")


@pytest.mark.parametrize("name", TRICKLES)
def test_an_answer_that_trickles_ends_at_the_timeout(name: str) -> None:
    with endless_server(*TRICKLES[name], pause_seconds=0.1) as url:
        assert outcome(url) == ("success" if "body" in name else "failure")


@pytest.mark.parametrize("name", ["a body without end", "headers that trickle"])
def test_an_answer_to_a_request_that_a_credential_provider_signs_is_limited_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "provider.py").write_text("import requests\nsession = requests.Session\n")
    metadata = tmp_path / "provider-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: provider\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[opentelemetry_otlp_credential_provider]\nmine = provider:session\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "mine")

    with endless_server(*(FLOODS | TRICKLES)[name], pause_seconds=0.01) as url, little_memory():
        assert outcome(url) == ("success" if "body" in name else "failure")
    assert sys.modules["provider"]


def test_a_grpc_answer_that_decompresses_to_much_uses_little_memory() -> None:
    skip_grpc_that_backs_off_for_a_minute(OtlpProtocol.GRPC)

    class Bomb(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
        def service(self, _call: object) -> object:
            return grpc.unary_unary_rpc_method_handler(lambda _request, _context: bytes(64 * MIB))

    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Bomb()], compression=grpc.Compression.Gzip)
    url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        assert outcome(url, OtlpProtocol.GRPC) == "failure"
    finally:
        server.stop(grace=None).wait()
