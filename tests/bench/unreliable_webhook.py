"""A webhook that accepts, fails, hangs, closes the connection or refuses, at random."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = ("take", "take", "take", "fail", "hang", "cut", "refuse")
HANG_SECONDS = 12.0
"""Longer than the exporter waits for a webhook."""


@contextmanager
def unreliable_webhook() -> Iterator[tuple[str, Counter[str]]]:
    """Run a webhook with random answers; yield its address and the count of each kind of answer."""
    random_numbers, answers, over = random.Random(5), Counter[str](), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = random_numbers.choice(ANSWERS)
            answers[answer] += 1
            self.rfile.read(int(self.headers["Content-Length"]))
            if answer == "hang":
                over.wait(HANG_SECONDS)
            if answer in ("hang", "cut"):
                self.close_connection = True
                return
            self.send_response({"take": 200, "fail": 500, "refuse": 404}[answer])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", answers
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
