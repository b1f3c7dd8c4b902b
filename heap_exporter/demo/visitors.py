"""Visitors of the shop: HTTP requests at a constant rate."""

from __future__ import annotations

import http.client
import random
import threading
import time

THREADS = 2
CART_ITEMS = 4
PRODUCTS = 5000
MAX_PAGE_BYTES = 1 << 20


class Visitors:
    """Threads that send requests until stopped. ``requests`` and ``failures`` count the answers and the errors."""

    def __init__(self, host: str, port: int, visitors_per_second: float) -> None:
        self._address = (host, port)
        self._pace_seconds = THREADS / visitors_per_second
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(seed,), name=f"visitors-{seed}", daemon=True)
            for seed in range(THREADS)
        ]
        self.requests = 0
        self.failures = 0

    def start(self) -> None:
        """Start the threads that visit the demo's shop."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the threads that visit the demo's shop after their current request."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2.0)

    def _run(self, seed: int) -> None:
        choice = random.Random(seed)  # not for secrets
        due = time.monotonic()
        while not self._stopping.wait(max(due - time.monotonic(), 0)):
            due = max(due + self._pace_seconds, time.monotonic() - 1.0)
            self._visit(choice)

    def _visit(self, choice: random.Random) -> None:
        """Send the requests of one visitor: the front page, then several products, each put into the cart."""
        connection = http.client.HTTPConnection(*self._address, timeout=5)
        try:
            cookie = self._request(connection, "GET", "/", "")
            for product_id in choice.sample(range(PRODUCTS), CART_ITEMS):
                self._request(connection, "GET", f"/products/{product_id}", cookie)
                self._request(connection, "POST", f"/cart/{product_id}", cookie)
        except (OSError, http.client.HTTPException):
            self.failures += 1
        finally:
            connection.close()

    def _request(self, connection: http.client.HTTPConnection, method: str, path: str, cookie: str) -> str:
        """Send one request to the demo's shop and return the cookie for the next."""
        connection.request(method, path, headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        response.read(MAX_PAGE_BYTES)
        self.requests += 1
        return (response.getheader("Set-Cookie") or cookie).split(";")[0]
