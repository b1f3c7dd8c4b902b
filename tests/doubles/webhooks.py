"""Webhooks that accept, refuse, fail or send byte by byte, on real sockets of 127.0.0.1."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

PATIENCE_SECONDS = 20.0


@dataclass
class Webhook:
    """The address of a webhook, its responses (the last one repeats), and the requests it received."""

    url: str
    answers: list[int]
    headers: Mapping[str, str] = field(default_factory=dict)
    requests: Queue[tuple[str, Mapping[str, str], Any]] = field(default_factory=Queue)

    def next(self) -> Any:
        """Wait for the next request, and return its body."""
        return self.requests.get(timeout=PATIENCE_SECONDS)[2]


@contextlib.contextmanager
def webhook_server(*answers: int, headers: Mapping[str, str] | None = None, path: str = "/hook") -> Iterator[Webhook]:
    """Run a webhook that responds with ``answers`` one after the other, and keeps the requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.requests.put((self.path, dict(self.headers), body))
            self.send_response(found.answers.pop(0) if len(found.answers) > 1 else found.answers[0])
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Webhook(f"http://127.0.0.1:{server.server_port}{path}", list(answers) or [200], headers or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def trickling_webhook(text: bytes, every_seconds: float = 0.05) -> Iterator[tuple[str, threading.Event]]:
    """Run a webhook that sends ``text`` again and again, byte by byte; yield its address and an event a client sets."""
    is_stopped, has_client = threading.Event(), threading.Event()
    clients: list[threading.Thread] = []

    def trickle(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while True:
                for byte in text:
                    if is_stopped.wait(every_seconds):
                        return
                    client.sendall(bytes([byte]))

    def accept_clients(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                has_client.set()
                clients.append(threading.Thread(target=trickle, args=[client]))
                clients[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept_clients, args=[listener])
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook", has_client
        finally:
            is_stopped.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for client in clients:
                client.join()
