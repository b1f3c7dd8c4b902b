"""Visitors for the shop: real HTTP requests, at a steady pace."""

from __future__ import annotations

import http.client
import random
import threading
import time

THREADS = 2
CART_ITEMS = 4
PRODUCTS = 5000


class Load:
    """Threads that send visitors until stopped. ``requests`` and ``failures`` count what they did."""

    def __init__(self, host: str, port: int, visitors_per_second: float) -> None:
        self._address = (host, port)
        self._pace_seconds = THREADS / visitors_per_second
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(seed,), name=f"load-{seed}", daemon=True)
            for seed in range(THREADS)
        ]
        self.requests = 0
        self.failures = 0

    def start(self) -> None:
        """Send visitors from now on."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more, and wait for the requests under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2.0)

    def _run(self, seed: int) -> None:
        choice = random.Random(seed)  # which product a visitor looks at is no secret
        due = time.monotonic()
        while not self._stopping.wait(max(due - time.monotonic(), 0)):
            due = max(due + self._pace_seconds, time.monotonic() - 1.0)
            self._visit(choice)

    def _visit(self, choice: random.Random) -> None:
        """One visitor: the front page, then a product and the cart, a few times over."""
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
        """Send one request and return the cookie the shop gave."""
        connection.request(method, path, headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        response.read()
        self.requests += 1
        return (response.getheader("Set-Cookie") or cookie).split(";")[0]
