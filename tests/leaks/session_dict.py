"""A dict of sessions that are never removed; each session has a cart."""

from __future__ import annotations

from collections.abc import Callable


class Session:
    def __init__(self, visitor: int) -> None:
        self.visitor = visitor
        self.cart = [f"thing {visitor}"]


SESSIONS: dict[str, Session] = {}


def serve(visitor: int) -> None:
    SESSIONS[f"visitor {visitor}"] = Session(visitor)


def main(snapshot: Callable[[], None]) -> None:
    for visitor in range(3000):
        if visitor == 200:
            snapshot()
        serve(visitor)
    snapshot()
