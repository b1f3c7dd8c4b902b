"""blinker: receivers connected with weak=False for each request."""

from __future__ import annotations

from collections.abc import Callable

from blinker import signal

SAVED = signal("saved")


def handle(number):
    body = ["row"] * 200

    def receiver(sender):
        return body

    SAVED.connect(receiver, weak=False)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(2000):
        if number == 300:
            snapshot()
        handle(number)
    snapshot()
