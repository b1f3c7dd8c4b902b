"""structlog: keys of context variables made from data: each makes a ContextVar that stays."""

from __future__ import annotations

from collections.abc import Callable

import structlog


def main(snapshot: Callable[[], None]) -> None:
    for number in range(3000):
        if number == 500:
            snapshot()
        with structlog.contextvars.bound_contextvars(**{f"order_{number}": {"id": number, "tags": [str(number)] * 3}}):
            pass
    snapshot()
