"""Widgets that register a bound method and are never unregistered."""

from __future__ import annotations

from collections.abc import Callable


class Widget:
    def __init__(self, number: int) -> None:
        self.title = f"widget {number}"
        self.pixels = bytes(100)

    def on_change(self) -> None:
        self.pixels = b""


class Bus:
    def __init__(self) -> None:
        self.listeners: list[Callable[[], None]] = []


BUS = Bus()


def main(snapshot: Callable[[], None]) -> None:
    for number in range(2000):
        if number == 100:
            snapshot()
        BUS.listeners.append(Widget(number).on_change)
    snapshot()
