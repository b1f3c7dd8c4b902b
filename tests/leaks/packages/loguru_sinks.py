"""loguru: a sink for each task, never removed."""

from __future__ import annotations

import io
from collections.abc import Callable

from loguru import logger

logger.remove()


def task(number):
    logger.add(io.StringIO(), level="ERROR")


def main(snapshot: Callable[[], None]) -> None:
    for number in range(400):
        if number == 80:
            snapshot()
        task(number)
    snapshot()
