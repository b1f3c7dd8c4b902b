"""When growth matters, when it is suspected, and when a suspicion ends: the same growth is not soon suspected again."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from heap_exporter.detection.windows import Growth

MIN_TAU = 0.7
"""Kendall's tau of the lows from which a rise counts as steady."""

MIN_TAIL = 0.5
"""Share of the slope that the last third must still have; a cache falls below it as it nears its limit."""

MIN_NOISES = 4.0
"""Standard deviations of the lows that must have been gained."""

MAX_JUMP_SHARE = 0.75
"""Largest share of the three largest rises in all rises."""

MIN_NEW = 0.2
"""Share of the gain that must be above all lasting heights before."""

PLATEAU = 0.25
"""Share of the suspected slope below which growth has levelled off."""

MORE_EACH_TIME = 3.0
"""Factor by which more must be gained after each suspicion of this day that was not confirmed."""

MIN_AGAIN = 0.5
"""Share of the gain of the last suspicion that must be gained again to be suspected soon after it ended."""

AFTERMATH = 2.0
"""Time for which :data:`MIN_AGAIN` applies, as a multiple of the duration of that suspicion."""

CLEARLY_NEW = 2.0
"""Multiple of the gain that must be gained again after a finding has cleared the suspicion."""

MIN_PAUSE = 0.2
"""Share of the duration of a growth for which it must have levelled off."""

MIN_LEFT = 0.5
"""Share of the gain below which it counts as released."""


def is_steady(growth: Growth) -> bool:
    """Return whether the lows rise over the whole length, by more than their noise, and still rise at its end."""
    line = growth.trend
    return (
        line.gained >= MIN_NOISES * line.noise
        and line.tau >= MIN_TAU
        and line.tail_ratio >= MIN_TAIL
        and line.jump_share <= MAX_JUMP_SHARE
    )


class EndedSuspicion(NamedTuple):
    """A suspicion that ended unconfirmed: when, after how many seconds, and the bytes gained by then."""

    at: float
    seconds: float
    gained: float


class Suspicion:
    """The growth that is suspected now, and the suspicions that ended unconfirmed."""

    def __init__(self, window_seconds: float, day_seconds: float) -> None:
        self._window_seconds = window_seconds
        self.growth: Growth | None = None
        self._day_seconds = day_seconds
        self._min_height = -math.inf
        self._last: EndedSuspicion | None = None
        self._cleared_until = -math.inf
        self._began = 0.0
        self._base = self._peak = 0.0
        self._ended_at: deque[float] = deque(maxlen=8)

    def needed_bytes(self, min_bytes: float, now: float) -> float:
        """Return the bytes that must be gained now to be suspected; ``min_bytes`` is the gain that matters at all.

        Growth that lasted for hours and then slowed down may go on for as long again.
        """
        lately = sum(now - at < self._day_seconds for at in self._ended_at)
        more = 0.0
        if self._last:
            passed = (now - self._last.at) / (AFTERMATH * self._last.seconds)
            more = MIN_AGAIN * self._last.gained * max(1 - passed, 0.0)
        return max(min_bytes * MORE_EACH_TIME**lately, more)

    def update(self, growth: Growth, min_bytes: float, now: float) -> None:
        """Begin or end the suspicion by the growth over one length."""
        if self.growth is None:
            if self._is_suspicious(growth, self.needed_bytes(min_bytes, now)):
                self.growth, self._began = growth, now - growth.seconds
                self._base, self._peak = growth.trend.first, growth.trend.last
            return
        if growth.length.level <= self.growth.length.level:
            self._peak = max(self._peak, growth.trend.last)
            if growth.trend.last < self._base + MIN_LEFT * (self._peak - self._base):
                self.end(growth.trend.last, now)
                return
        if growth.slope < PLATEAU * self.growth.slope and self._is_long_enough_for_a_pause(growth, now):
            self.end(growth.trend.last, now)

    def _is_long_enough_for_a_pause(self, growth: Growth, now: float) -> bool:
        """Return whether a length is in proportion to the growth so far: a large table that moves is no plateau."""
        assert self.growth is not None
        grown = (now - self._began) / self._window_seconds
        needed = max(self.growth.length.windows, MIN_PAUSE * grown)
        return needed <= growth.length.windows < 2 * needed

    def clear(self, growth: Growth, now: float) -> None:
        """End the suspicion because of a finding; up to twice the gain must then be gained anew."""
        base = self._base if self.growth else growth.trend.first
        height = growth.trend.last
        self.end(height, now)
        self._cleared_until = height + CLEARLY_NEW * max(height - base, 0.0)
        self._min_height = max(self._min_height, self._cleared_until)

    def may_confirm(self, growth: Growth) -> bool:
        """Return whether a growth is above the height up to which a finding has cleared it."""
        return growth.trend.recent_low >= self._cleared_until

    def levelled_off(self, now: float) -> bool:
        """Return whether a suspicion ended unconfirmed, not longer ago than it had lasted."""
        return self.growth is None and self._last is not None and now - self._last.at <= self._last.seconds

    def restart(self, long_seconds: float, now: float) -> bool:
        """End the suspicion with the process; return whether it had lasted so long that it was no warm-up."""
        lasted = self.growth is not None and now - self._began >= long_seconds
        if self.growth is not None and not lasted:
            self._ended_at.append(now)
        self.growth = None
        self._last = None
        self._min_height = self._cleared_until = -math.inf
        return lasted

    def end(self, height: float, now: float) -> None:
        """End the suspicion; growth must be clearly above ``height`` to be suspected again."""
        self.growth = None
        self._last = EndedSuspicion(now, max(now - self._began, 1.0), max(self._peak - self._base, 0.0))
        self._min_height = max(self._min_height, height)
        self._ended_at.append(now)

    def _is_suspicious(self, growth: Growth, needed_bytes: float) -> bool:
        line = growth.trend
        return (
            line.gained >= needed_bytes
            and is_steady(growth)
            and growth.above_highest >= MIN_NEW * line.gained
            and line.recent_low >= self._min_height + MIN_NEW * needed_bytes
        )
