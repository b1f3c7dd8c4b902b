"""A trace in a context variable that is never reset."""

from __future__ import annotations

import contextvars
from collections.abc import Callable


class Span:
    def __init__(self, number: int) -> None:
        self.name = f"span {number} of the request"


TRACE: contextvars.ContextVar[list[Span]] = contextvars.ContextVar("trace")


def main(snapshot: Callable[[], None]) -> None:
    TRACE.set([])
    for number in range(3000):
        if number == 100:
            snapshot()
        TRACE.get().append(Span(number))
    snapshot()
