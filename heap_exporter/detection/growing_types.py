"""The types that grow: the newest census compared with the oldest of a few that are kept for the window."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from heap_exporter.detection.reasons import with_reason
from heap_exporter.model import Census, GrowingType, Reason, ReasonKind, State, Verdict, top_growing_type

CHECKPOINTS = 4
"""Censuses kept a window: enough for a baseline that is at most a quarter too old."""

MAX_GROWING_TYPES = 10

MIN_BYTES = 16 * 1024
"""Types below this size are not kept: there are thousands of them, and none is a leak yet."""


class TypeHistory:
    """The sizes of the large types at a few censuses of the last window."""

    def __init__(self, window_seconds: float) -> None:
        self._spacing_seconds = window_seconds / CHECKPOINTS
        self._checkpoints: deque[tuple[float, dict[str, tuple[int, int]]]] = deque(maxlen=CHECKPOINTS)
        self._newest: Census | None = None

    def add(self, census: Census) -> None:
        """Add a census in which the detector looks for growing types."""
        if self._newest and census.taken_at < self._newest.taken_at:
            self._checkpoints.clear()  # the clock was set back
        self._newest = census
        if not self._checkpoints or census.taken_at - self._checkpoints[-1][0] >= self._spacing_seconds:
            large = {c.type_name: (c.objects, c.bytes) for c in census.types if c.bytes >= MIN_BYTES}
            self._checkpoints.append((census.taken_at, large))

    def growing_types(self) -> tuple[GrowingType, ...]:
        """Return the types that gained objects or bytes within the detector's window, most bytes first."""
        if self._newest is None:
            return ()
        _, before = self._checkpoints[0]
        gains = []
        for count in self._newest.types:
            objects, size = before.get(count.type_name, (0, 0))
            if count.bytes >= MIN_BYTES and count.bytes - size >= MIN_BYTES:
                gains.append(GrowingType(count.type_name, count.objects - objects, count.bytes - size))
        return tuple(sorted(gains, key=lambda gain: (-gain.bytes, gain.type_name)))


def with_growing_types(verdict: Verdict, types: Sequence[GrowingType]) -> Verdict:
    """Return the verdict with the types that grow, if its state is one of growth."""
    top = top_growing_type(types)
    if top is None or not (verdict.is_suspicion or verdict.state is State.GROWING):
        return verdict
    values = {"type_name": top.type_name, "objects": top.objects, "gained_bytes": top.bytes}
    named = with_reason(verdict, Reason(ReasonKind.TYPE_GREW, values))
    return replace(named, growing_types=tuple(types[:MAX_GROWING_TYPES]))
