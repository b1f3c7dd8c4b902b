"""Webhooks of many tempers, on real sockets of 127.0.0.1."""

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
    """A hook's address, how it answers (the last answer for ever), and what it was sent."""

    url: str
    answers: list[int]
    headers: Mapping[str, str] = field(default_factory=dict)
    requests: Queue[tuple[str, Mapping[str, str], Any]] = field(default_factory=Queue)

    def next(self) -> Any:
        """Return the body of the next request, waiting for it."""
        return self.requests.get(timeout=PATIENCE_SECONDS)[2]


@contextlib.contextmanager
def webhook_server(*answers: int, headers: Mapping[str, str] | None = None, path: str = "/hook") -> Iterator[Webhook]:
    """Run a hook that answers with ``answers`` one after the other, and keeps what it was sent."""

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
    """Run a hook that answers with ``text`` again and again, byte by byte; give its address and whether one came."""
    over, came = threading.Event(), threading.Event()
    guests: list[threading.Thread] = []

    def trickle(guest: socket.socket) -> None:
        with guest, contextlib.suppress(OSError):
            while True:
                for byte in text:
                    if over.wait(every_seconds):
                        return
                    guest.sendall(bytes([byte]))

    def welcome(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                guest, _ = listener.accept()
                came.set()
                guests.append(threading.Thread(target=trickle, args=[guest]))
                guests[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=welcome, args=[listener])
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook", came
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for guest in guests:
                guest.join()
