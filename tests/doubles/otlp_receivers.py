"""OTLP receivers that answer, fail or hang, on real sockets of 127.0.0.1."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk import version

from heap_exporter.export.otlp_receiver import OtlpProtocol

PATIENCE_SECONDS = 20.0
THREAD_NAME = "receiver of a test"
RELEASE = tuple(map(int, version.__version__.split(".")[:2]))
"""The release of OpenTelemetry, as in (1, 45)."""


def skip_grpc_that_backs_off_for_a_minute(protocol: OtlpProtocol) -> None:
    """Skip a test of gRPC with an exporter whose pause after a failure no timeout and no stop ends."""
    if protocol is OtlpProtocol.GRPC and RELEASE < (1, 36):
        pytest.skip("this SDK backs off for a minute, which no stop ends")


@dataclass
class Receiver:
    """A receiver's address and what it was sent."""

    url: str
    status: int = 200
    requests: Queue[ExportMetricsServiceRequest] = field(default_factory=Queue)

    def next(self) -> ExportMetricsServiceRequest:
        """Return the next request, waiting for it."""
        return self.requests.get(timeout=PATIENCE_SECONDS)


@contextmanager
def http_receiver(status: int = 200, headers: dict[str, str] | None = None) -> Iterator[Receiver]:
    """Run a receiver that answers every POST with ``status``, which may change, and keeps what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            threading.current_thread().name = THREAD_NAME
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            receiver.requests.put(ExportMetricsServiceRequest.FromString(body))

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/v1/metrics", status)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def grpc_receiver(code: grpc.StatusCode = grpc.StatusCode.OK) -> Iterator[Receiver]:
    """Run a receiver on the protocol's own service stubs that ends every call with ``code``."""

    class Service(metrics_service_pb2_grpc.MetricsServiceServicer):
        def Export(
            self, request: ExportMetricsServiceRequest, context: grpc.ServicerContext
        ) -> ExportMetricsServiceResponse:
            receiver.requests.put(request)
            context.set_code(code)
            return ExportMetricsServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(2, THREAD_NAME))
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Service(), server)  # type: ignore[no-untyped-call]
    receiver = Receiver(f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    server.start()
    try:
        yield receiver
    finally:
        server.stop(grace=None).wait()


@contextmanager
def silent_receiver() -> Iterator[tuple[str, threading.Event]]:
    """Run a receiver that accepts connections and never answers; yield its address and an event for a connection."""
    came = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        guests: list[socket.socket] = []

        def welcome() -> None:
            while True:
                try:
                    guest, _ = listener.accept()
                except OSError:
                    return
                guests.append(guest)
                came.set()

        thread = threading.Thread(target=welcome)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", came
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for guest in guests:
                guest.close()


@contextmanager
def closed_port() -> Iterator[str]:
    """Yield an address that nothing listens on; no other process can bind it meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def wait_until(claim: Callable[[], object], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Return as soon as ``claim()`` holds."""
    deadline = time.monotonic() + patience_seconds
    while not claim():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
