"""Cycles that no collection frees, because the garbage collector is off."""

import gc
from collections.abc import Callable


class Parent:
    def __init__(self) -> None:
        self.child = [self]


def main(step: Callable[[], None]) -> None:
    gc.disable()
    for _ in range(24):
        for _ in range(5000):
            Parent()
        step()
