"""Follows one figure of a process through its lives: what grows, what is suspected of it, what is confirmed."""

from __future__ import annotations

from heap_exporter.detection.confirmation import is_confirmed
from heap_exporter.detection.limits_of_judging import DetectorThresholds
from heap_exporter.detection.restarts import Lives
from heap_exporter.detection.suspicion import PLATEAU, Suspicion, is_steady
from heap_exporter.detection.windows import Growth, Life
from heap_exporter.model import State

LONG_WINDOWS = 4.0
"""A suspicion that had lasted for so long when the process ended was no warm-up; nor does a confirmation end sooner."""

TOLD_WINDOWS = (1.0, 4.0, 16.0, 64.0)
"""The lengths over which growth is told that is not suspected."""

LEVEL_TAIL, LEVEL_RISING = 0.3, 0.5
"""A rise whose last third has less than this share of its slope has levelled off."""


class Course:
    """The growth of one figure, judged as its values come in."""

    def __init__(self, thresholds: DetectorThresholds, begin: float) -> None:
        self._thresholds = thresholds
        self._suspicion = Suspicion(thresholds.window_seconds, thresholds.day_seconds)
        self._lives = Lives()
        self.confirmed: Growth | None = None
        self._now = begin
        self._begin(Life(begin, thresholds.window_seconds))

    def _begin(self, life: Life) -> None:
        self.life = life
        self.newest: dict[float, Growth] = {}
        self.confirmed = None

    def renew(self, at: float) -> None:
        """Begin anew with another figure."""
        self._suspicion = Suspicion(self._thresholds.window_seconds, self._thresholds.day_seconds)
        self._lives = Lives()
        self._begin(Life(at, self._thresholds.window_seconds))

    def restart(self, at: float) -> None:
        """Take note that a new process has begun; what the one before was used to is nothing new in this one."""
        window = self._thresholds.window_seconds
        whole = self.life.whole()
        if whole:
            self._lives.end(whole, self._least(whole))
        lasted = self._suspicion.restart(LONG_WINDOWS * window, at)
        self._begin(Life(at, window, None if lasted else self.life))

    def add(self, at: float, size: float) -> bool:
        """Take note of a value; return whether something was judged."""
        judged = False
        self._now = at
        for level in self.life.add(at, size):
            for growth in self.life.growths(level):
                self._suspicion.look(growth, self._least(growth), at)
                self._look(growth, at)
                judged = True
            for growth in self.life.growths_between(level):
                self._look(growth, at)
                judged = True
        return judged

    def state(self) -> tuple[State, Growth | None]:
        """Return where it stands, and the growth that says so; ``None`` before a window has been seen."""
        window = self.newest.get(1.0)
        if window is None:
            return State.WARMING_UP, None
        if self.confirmed:
            return State.CONFIRMED, self._latest(self.confirmed)
        if self._suspicion.of:
            return State.SUSPECTED, self._latest(self._suspicion.of)
        for windows in TOLD_WINDOWS:
            growth = self.newest.get(windows)
            if growth and growth.trend.gained >= self._least(growth):
                if is_steady(growth):
                    return State.GROWING, growth
                if growth.trend.tail < LEVEL_TAIL and growth.trend.rising >= LEVEL_RISING:
                    return State.PLATEAUED, growth
        return (State.PLATEAUED if self._suspicion.levelled_off(self._now) else State.STEADY), window

    def _latest(self, of: Growth) -> Growth:
        """Return what there is to say now of a growth: over the longest time through which it was steady."""
        steady = [growth for growth in self.newest.values() if growth.length >= of.length and self._matters(growth)]
        return max(steady, key=lambda growth: growth.seconds, default=self.newest[of.length.windows])

    def _matters(self, growth: Growth) -> bool:
        return growth.trend.gained >= self._least(growth) and is_steady(growth)

    def min_bytes(self) -> float:
        """Return the gain over a window from which growth matters now."""
        return self._least(self.newest[1.0])

    def known_growth(self) -> Growth | None:
        """Return the growth that evidence from elsewhere may be about: the suspected one, or the largest."""
        found = self.confirmed or self._suspicion.of
        return (
            self._latest(found)
            if found
            else max(self.newest.values(), key=lambda growth: growth.trend.gained, default=None)
        )

    def confirm(self) -> None:
        """Take the word of other evidence that what grows is a leak."""
        self.confirmed = self.known_growth()

    def clear(self, now: float) -> None:
        """Take the word of other evidence that what grows is no leak."""
        growth = self.known_growth()
        self.confirmed = None
        if growth:
            self._suspicion.clear(growth, now)

    def _look(self, growth: Growth, now: float) -> None:
        self.newest[growth.length.windows] = growth
        if self.confirmed is None:
            if self._is_leak(growth):
                self.confirmed = growth
        elif (
            growth.length.windows == max(self.confirmed.length.windows, LONG_WINDOWS)
            and growth.slope < PLATEAU * self.confirmed.slope
        ):
            self.confirmed = None
            self._suspicion.end(growth.trend.last, now)

    def _is_leak(self, growth: Growth) -> bool:
        if self._matters(growth) and self._lives.repeat(growth):
            return True
        return self._suspicion.allows(growth) and is_confirmed(growth, self._least(growth))

    def _least(self, growth: Growth) -> float:
        return self._thresholds.min_bytes(growth.trend.first)
