"""Cycles that the garbage collector cannot free, because of their old-style finalizers."""

import importlib
from collections.abc import Callable

with_tp_del = importlib.import_module("_testcapi").with_tp_del


@with_tp_del
class Session:
    def __init__(self) -> None:
        self.itself = self

    def __tp_del__(self) -> None:
        pass


def main(step: Callable[[], None]) -> None:
    for _ in range(24):
        for _ in range(10_000):
            Session()
        step()
