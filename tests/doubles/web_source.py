"""A process for the pages to show, with a walker that a test can pause; clients for its server."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from heap_exporter.detection.history import History, point
from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Census, LostMemory, Reading, TypeCount, Walk
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from heap_exporter.web.app import App
from heap_exporter.web.server import HttpServer
from tests.doubles.allocation_samplers import FakeSampler
from tests.doubles.lost_memory import lost_memory
from tests.examples.readings import full_reading

TYPES = (TypeCount("shop.sessions.Session", 48210, 3_085_440), TypeCount("dict", 9000, 2_000_000))
CENSUS = Census(1.7e9, 0.25, 0.004, 0.1, "portable", TYPES, (10, 20, 30), references=90_000)
PLACE = 0x7F00_0000
"""Address of the one object of the made-up graph, divided by 16."""

WAIT_SECONDS = 30.0


class PausedWalker:
    """Walks at once; after `hold()` it waits until `go` is set. `walking` is set while it walks."""

    name = "portable"

    def __init__(self) -> None:
        self.walking = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.failure: Exception | None = None
        self.found_lost = lost_memory()

    def hold(self) -> None:
        self.go.clear()

    def census(self) -> Census:
        self._walk()
        return CENSUS

    def write_graph(self, out: BlockWriter) -> Walk:
        """Write a graph of one list that contains itself."""
        encoder = GraphEncoder(out)
        shape = encoder.shape(encoder.type("list"))
        encoder.node(shape, PLACE, 72, 2, [PLACE])
        encoder.end()
        self._walk()
        return Walk(objects=1, references=1, duration_seconds=0.5, pause_seconds=0.004, cpu_seconds=0.25)

    def lost(self) -> LostMemory:
        """Return the lost memory that was set, or none."""
        return self.found_lost

    def _walk(self) -> None:
        self.walking.set()
        assert self.go.wait(WAIT_SECONDS)
        if self.failure is not None:
            raise self.failure


class Process:
    """The process that the pages show."""

    def __init__(self, folder: Path, keep: int = 20) -> None:
        self.walker = PausedWalker()
        self.headroom_bytes: int | None = None
        self.woken = threading.Event()
        self.snapshots = Snapshots(self.walker, Store(folder, keep), lambda: self.headroom_bytes, wake=self.woken.set)
        self.history = History(100)
        self.allocations = FakeSampler()
        self.now = full_reading()
        assert self.now.sample is not None
        made = point(self.now.sample, self.now.detail, self.now.census)
        assert made is not None
        self.history.add(made)

    def reading(self) -> Reading:
        return self.now

    def app(self, token: str = "", *, trust_loopback: bool = True) -> App:
        return App(self, metrics, token=token, trust_loopback=trust_loopback)


def metrics(accept: str) -> tuple[bytes, str]:
    return b"python_heap_bytes 1.0\n" * 100, "application/openmetrics-text" if "openmetrics" in accept else "text/plain"


@contextmanager
def serving(app: Any, host: str = "127.0.0.1", port: int = 0) -> Iterator[HttpServer]:
    """Run a server, and stop it at the end."""
    server = HttpServer(app, host, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def exchange(server: HttpServer, raw: bytes) -> bytes:
    """Send raw bytes and return all that comes back until the server closes the connection."""
    with socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) as client:
        client.sendall(raw)
        return read_all(client)


def json_of(answer: TestResponse) -> Any:
    """Return the JSON of an answer."""
    return json.loads(answer.data)


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def fetch(
    server: HttpServer, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, Any]:
    """Return the status, the headers, and the JSON or the bytes of an answer."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=WAIT_SECONDS)
    try:
        connection.request(method, path, headers={"Connection": "close", **(headers or {})})
        answer = connection.getresponse()
        body = answer.read()
        is_json = "json" in (answer.getheader("Content-Type") or "") and body
        return answer.status, answer.headers, json.loads(body) if is_json else body
    finally:
        connection.close()


def connect(server: HttpServer, sent: bytes = b"") -> socket.socket:
    """Return a connection on which `sent` has been sent."""
    client = socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS)
    client.sendall(sent)
    return client


def until(condition: Callable[[], bool]) -> None:
    """Return once `condition()` is true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition stayed false"
        time.sleep(0.01)
