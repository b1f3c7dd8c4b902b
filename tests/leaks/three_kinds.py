"""Creates objects of three kinds: reachable, held by C code, and garbage in reference cycles."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable


class Reachable:
    pass


class HeldByC:
    def __init__(self) -> None:
        self.payload = bytes(100)


class Garbage:
    def __init__(self) -> None:
        self.itself = self


KEPT: list[Reachable] = []


def main(snapshot: Callable[[], None]) -> None:
    gc.disable()
    snapshot()
    for _ in range(20_000):
        KEPT.append(Reachable())
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(HeldByC()))
        Garbage()
    snapshot()
