"""Reference cycles while the garbage collector is off."""

from __future__ import annotations

import gc
from collections.abc import Callable


class Parent:
    def __init__(self) -> None:
        self.child = Child(self)


class Child:
    def __init__(self, parent: Parent) -> None:
        self.parent = parent


def main(snapshot: Callable[[], None]) -> None:
    gc.disable()
    for number in range(21_000):
        if number == 1000:
            snapshot()
        Parent()
    snapshot()
