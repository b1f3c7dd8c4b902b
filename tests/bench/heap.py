"""A heap like a service's, built from a seed: sessions and the objects they refer to.

A session is some 41 objects that the garbage collector tracks (instances with attributes and with slots, dicts,
lists, tuples, a set, a deque, closures, a bound method, rings, and cycles: user ↔ session, order ↔ item) and twice as
many that it does not (str, int, float, bytes, bytearray, and dicts and tuples of such): 2.9 objects in all for each
tracked one.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

TRACKED_OBJECTS_A_SESSION = 41.0
"""The mean; a session has from 38 to 44, by the number of its items."""

ROLES = ("reader", "buyer", "author", "clerk", "admin")
PATHS = ("/", "/cart", "/orders", "/search", "/account")


class Session:
    """A visitor's data: an instance with inline attributes."""

    def __init__(self, number: int, bits: int) -> None:
        self.number = number
        self.token = b"%032x" % bits
        self.opened_at = 1.7e9 + number
        self.user = User(self, bits)
        self.history = deque([_visit(number, bits >> shift) for shift in range(3)], maxlen=32)
        self.flags = {number, bits & 0xFFFFF, "signed-in"}
        self.on_close: list[Callable[..., Any]] = [self.user.forget, _greeting(self, f"hello {number}")]
        self.orders: list[Order] = []
        self.ring = _ring(3, bits)


class User:
    """One half of a cycle of two, with slots."""

    __slots__ = ("email", "name", "preferences", "roles", "session")

    def __init__(self, session: Session, bits: int) -> None:
        self.session = session
        self.name = f"user {bits:x}"
        self.email = f"{bits & 0xFFFFFFFF:x}@example.org"
        self.roles = (ROLES[bits % 5], f"team {bits & 0xFFF}")
        self.preferences = {"theme": f"t{bits & 0xFFFF}", "rate": bits / 7.0, "page": 1000 + (bits & 0xFFFF)}

    def forget(self) -> None:
        """Break the cycle; kept as a bound method."""
        del self.session


class Order:
    """An instance with a list of items that refer back to it."""

    def __init__(self, session: Session, bits: int, items: int) -> None:
        self.session = session
        self.placed_at = bits / 3.0
        self.items = [Item(self, bits >> shift) for shift in range(items)]
        self.address = {"street": f"street {bits & 0xFFFFF}", "lines": [f"floor {bits & 0xFF}", f"{bits & 0xFFFFF}"]}


class Item:
    """A part of an order, with slots."""

    __slots__ = ("attributes", "order", "price", "quantity", "sku")

    def __init__(self, order: Order, bits: int) -> None:
        self.order = order
        self.sku = f"sku-{bits & 0xFFFFFFFFFF:010x}"
        self.price = bits / 9.0
        self.quantity = 300 + (bits & 0xFFFF)
        self.attributes = {"colour": f"#{bits & 0xFFFFFF:06x}", "size": f"{bits & 0xFFFF}", "weight": bits / 11.0}


class Link:
    """A member of a ring."""

    __slots__ = ("next", "payload")

    def __init__(self, payload: bytearray) -> None:
        self.payload = payload
        self.next: Link = self


def build(tracked_objects: int, seed: int = 1) -> list[Session]:
    """Return sessions with about ``tracked_objects`` gc-tracked objects in all, the same for the same seed.

    A million take about a second, half of it a collection. On return all objects are in the oldest generation, and
    the collector has already stopped tracking those that it can.
    """
    random = Random(seed)
    with _rare_collections():
        sessions = [_session(number, random) for number in range(int(tracked_objects / TRACKED_OBJECTS_A_SESSION))]
    gc.collect()
    return sessions


def _session(number: int, random: Random) -> Session:
    bits = random.getrandbits(120)
    session = Session(number, bits)
    session.orders += [Order(session, bits >> shift, 2 + (bits >> shift) % 4) for shift in (11, 23)]
    return session


def _visit(number: int, bits: int) -> dict[str, Any]:
    return {"at": 1.7e9 + number / 7, "path": PATHS[bits % 5], "query": [f"q={bits & 0xFFFFF}", (number, [])]}


def _greeting(session: Session, text: str) -> Callable[[], str]:
    def greet() -> str:
        return f"{text}, {session.user.name}"

    return greet


def _ring(links: int, bits: int) -> Link:
    ring = [Link(bytearray(16 + (bits & 63))) for _ in range(links)]
    for link, following in zip(ring, [*ring[1:], ring[0]], strict=True):
        link.next = following
    return ring[0]


@contextmanager
def _rare_collections() -> Iterator[None]:
    thresholds = gc.get_threshold()
    gc.set_threshold(1 << 30, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
