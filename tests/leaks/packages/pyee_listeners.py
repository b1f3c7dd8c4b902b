"""pyee: each connection registers a listener on a global emitter, and never removes it."""

from __future__ import annotations

from collections.abc import Callable

from pyee.base import EventEmitter

BUS = EventEmitter()


class Connection:
    def __init__(self, number):
        self.buffer = bytearray(2000)
        BUS.on("message", self.on_message)

    def on_message(self, text):
        self.buffer += text


def main(snapshot: Callable[[], None]) -> None:
    for number in range(2000):
        if number == 301:
            snapshot()
        Connection(number)
    snapshot()
