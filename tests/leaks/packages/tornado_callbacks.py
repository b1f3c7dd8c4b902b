"""tornado: a periodic callback for each connection that is never stopped."""

from __future__ import annotations

from collections.abc import Callable

from tornado.ioloop import PeriodicCallback


class Connection:
    def __init__(self, number):
        self.buffer = bytearray(1500)
        self.number = number

    def ping(self):
        pass


async def main(snapshot: Callable[[], None]) -> None:
    for number in range(2000):
        if number == 300:
            snapshot()
        PeriodicCallback(Connection(number).ping, 600_000).start()
    snapshot()
