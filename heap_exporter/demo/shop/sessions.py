"""The session store, with the bug that the demo shows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock

SESSION_SECONDS = 4.0


@dataclass
class Item:
    """One item in a cart."""

    product_id: int
    title: str
    options: dict[str, list[str]]


@dataclass
class Session:
    """The data of one visitor."""

    visitor: str
    seen_at: float
    cart: list[Item] = field(default_factory=list)
    viewed: list[int] = field(default_factory=list)


SESSIONS: dict[str, Session] = {}
_LOCK = Lock()


def session_of(visitor: str, expire: bool) -> Session:
    """Return the session of a visitor, a new one at the first visit. Without ``expire``, the bug, none is removed."""
    now = time.monotonic()
    with _LOCK:
        if expire:
            _drop_expired(now)
        session = SESSIONS.pop(visitor, None) or Session(visitor, now)
        session.seen_at = now
        SESSIONS[visitor] = session
    return session


def _drop_expired(now: float) -> None:
    """Remove the shop's expired sessions, which are at the front of the dict."""
    while SESSIONS:
        oldest = next(iter(SESSIONS))
        if now - SESSIONS[oldest].seen_at < SESSION_SECONDS:
            return
        del SESSIONS[oldest]
