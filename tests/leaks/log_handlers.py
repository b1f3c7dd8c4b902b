"""A logger to which every request adds a handler."""

from __future__ import annotations

import logging
from collections.abc import Callable

LOGGER = logging.getLogger("tests.leaks.log_handlers")


class Handler(logging.Handler):
    def __init__(self, request: int) -> None:
        super().__init__()
        self.prefix = f"request {request}: " * 10


def serve(request: int) -> None:
    LOGGER.addHandler(Handler(request))


def main(snapshot: Callable[[], None]) -> None:
    for request in range(1000):
        if request == 50:
            snapshot()
        serve(request)
    snapshot()
