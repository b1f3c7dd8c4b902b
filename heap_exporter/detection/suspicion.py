"""When growth is suspected, and when a suspicion ends: fast to arise, slow to arise again for the same growth."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from heap_exporter.detection.windows import Growth

MIN_RISING = 0.7
"""Kendall's tau of the floors from which a rise counts as steady."""

MIN_TAIL = 0.5
"""Share of the slope that the last third must still have; a cache falls below as it nears its limit."""

MIN_NOISES = 4.0
"""How many standard deviations of the floors must have been gained."""

MAX_BY_JUMPS = 0.75
"""What the three largest rises may be of all."""

MIN_NEW = 0.2
"""Share of the gain that must lie above all that lasted before."""

PLATEAU = 0.25
"""Share of the suspected slope below which growth has levelled off."""

MORE_EACH_TIME = 3.0
"""Factor by which more must be gained after each suspicion of this day that came to nothing."""

MIN_AGAIN = 0.5
"""Share of what the last suspicion had gained that must be gained again to be suspected soon after it ended."""

AFTERMATH = 2.0
"""How many times as long as a suspicion its end is remembered that way."""

CLEARLY_NEW = 2.0
"""What must be gained again, of what was gained, after other evidence has cleared it."""

MIN_PAUSE = 0.2
"""Share of the time that something has grown for which it must have levelled off."""

MIN_LEFT = 0.5
"""Share of what was gained below which it has been released."""


def is_steady(growth: Growth) -> bool:
    """Return whether the floors rise through all of their length, by more than their noise, and go on rising."""
    line = growth.trend
    return (
        line.gained >= MIN_NOISES * line.noise
        and line.rising >= MIN_RISING
        and line.tail >= MIN_TAIL
        and line.jumps <= MAX_BY_JUMPS
    )


class Ended(NamedTuple):
    """A suspicion that came to nothing: when, after how long, and what had been gained by then."""

    at: float
    seconds: float
    gained: float


class Suspicion:
    """Remembers what is suspected now, and which suspicions came to nothing."""

    def __init__(self, window_seconds: float, day_seconds: float) -> None:
        self._window_seconds = window_seconds
        self.of: Growth | None = None
        self._day_seconds = day_seconds
        self._bar = -math.inf
        self._last: Ended | None = None
        self._cleared_until = -math.inf
        self._began = 0.0
        self._base = self._peak = 0.0
        self._came_to_nothing: deque[float] = deque(maxlen=8)

    def asks(self, min_bytes: float, now: float) -> float:
        """Return the bytes that must be gained now to be suspected, given the ``min_bytes`` that matter at all.

        What filled for hours and then slowed down may go on filling for as long again.
        """
        lately = sum(now - at < self._day_seconds for at in self._came_to_nothing)
        more = 0.0
        if self._last:
            passed = (now - self._last.at) / (AFTERMATH * self._last.seconds)
            more = MIN_AGAIN * self._last.gained * max(1 - passed, 0.0)
        return max(min_bytes * MORE_EACH_TIME**lately, more)

    def look(self, growth: Growth, min_bytes: float, now: float) -> None:
        """Begin or end the suspicion by what a length shows."""
        if self.of is None:
            if self._arises(growth, self.asks(min_bytes, now)):
                self.of, self._began = growth, now - growth.seconds
                self._base, self._peak = growth.trend.first, growth.trend.last
            return
        if growth.length.level <= self.of.length.level:
            self._peak = max(self._peak, growth.trend.last)
            if growth.trend.last < self._base + MIN_LEFT * (self._peak - self._base):
                self.end(growth.trend.last, now)
                return
        if growth.slope < PLATEAU * self.of.slope and self._is_pause(growth, now):
            self.end(growth.trend.last, now)

    def _is_pause(self, growth: Growth, now: float) -> bool:
        """Return whether a length is in proportion to the growth so far: a large table that moves is no plateau."""
        assert self.of is not None
        grown = (now - self._began) / self._window_seconds
        needed = max(self.of.length.windows, MIN_PAUSE * grown)
        return needed <= growth.length.windows < 2 * needed

    def clear(self, growth: Growth, now: float) -> None:
        """End the suspicion because of other evidence; as much as twice what was gained must be gained anew."""
        base = self._base if self.of else growth.trend.first
        height = growth.trend.last
        self.end(height, now)
        self._cleared_until = height + CLEARLY_NEW * max(height - base, 0.0)
        self._bar = max(self._bar, self._cleared_until)

    def allows(self, growth: Growth) -> bool:
        """Return whether a growth has outgrown what other evidence has cleared."""
        return growth.trend.low >= self._cleared_until

    def levelled_off(self, now: float) -> bool:
        """Return whether a suspicion came to nothing not longer ago than it had lasted."""
        return self.of is None and self._last is not None and now - self._last.at <= self._last.seconds

    def restart(self, long_seconds: float, now: float) -> bool:
        """End the suspicion with the process; return whether it had lasted for so long that it is no warm-up."""
        lasted = self.of is not None and now - self._began >= long_seconds
        if self.of is not None and not lasted:
            self._came_to_nothing.append(now)
        self.of = None
        self._last = None
        self._bar = self._cleared_until = -math.inf
        return lasted

    def end(self, height: float, now: float) -> None:
        """Forget what is suspected; growth from ``height`` on must be clearly new to be suspected again."""
        self.of = None
        self._last = Ended(now, max(now - self._began, 1.0), max(self._peak - self._base, 0.0))
        self._bar = max(self._bar, height)
        self._came_to_nothing.append(now)

    def _arises(self, growth: Growth, asked: float) -> bool:
        line = growth.trend
        return (
            line.gained >= asked
            and is_steady(growth)
            and growth.risen >= MIN_NEW * line.gained
            and line.low >= self._bar + MIN_NEW * asked
        )
