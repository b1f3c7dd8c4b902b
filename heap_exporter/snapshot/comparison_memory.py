"""Computes the memory of a snapshot comparison: how much it needs, when it may start, and when it must end.

The application comes first: a comparison starts only where twice its memory is free, and ends where less is left.
"""

from __future__ import annotations

BASE_BYTES = 64 * 1024 * 1024
BYTES_PER_OBJECT = 75
"""Memory of one graph; the two graphs are not in memory at the same time.

A graph takes 52 bytes for each object and 8 for each reference: 68 bytes an object in a heap of 10 million objects
(``make bench-large``).
"""

BYTES_PER_PATH = 600
MAX_PATHS = 250_000
"""The paths of both snapshots are kept. Where a heap is code, every second object has a path of its own; elsewhere many
objects share one.
"""

SHARE_TO_START = 2.0
SHARE_TO_CONTINUE = 1.5
"""How many times the memory of a comparison must be free, its own included. Free memory varies a little."""

SHARE_WITHOUT_HEADROOM = 2.0
"""How many times the predicted memory a comparison may use where the free memory is unknown."""


def predicted_bytes(objects: int) -> int:
    """Return how many bytes the comparison of two snapshots needs; ``objects`` are those of the larger snapshot."""
    return BASE_BYTES + BYTES_PER_OBJECT * objects + BYTES_PER_PATH * min(objects, MAX_PATHS)


def may_start(headroom_bytes: int, predicted: int) -> bool:
    """Return whether a comparison that needs ``predicted`` bytes takes at most half of what is free."""
    return headroom_bytes >= SHARE_TO_START * predicted


def must_end(headroom_bytes: int, used: int, predicted: int) -> bool:
    """Return whether too little is free for a comparison that uses ``used`` bytes by now."""
    return headroom_bytes + used < SHARE_TO_CONTINUE * max(predicted, used)


def limit_bytes(headroom_bytes: int | None, predicted: int) -> int:
    """Return how many bytes a comparison may use at most: half of what is free when it starts."""
    if headroom_bytes is None:
        return int(SHARE_WITHOUT_HEADROOM * predicted)
    return int(headroom_bytes / SHARE_TO_START)
