"""The state of the growth of a process through its runs: steady, growing, suspected, confirmed."""

from __future__ import annotations

from heap_exporter.detection.confirmation import is_confirmed
from heap_exporter.detection.restarts import EarlierRuns
from heap_exporter.detection.suspicion import PLATEAU, Suspicion, is_steady
from heap_exporter.detection.windows import Growth, ProcessRun
from heap_exporter.model import DetectorThresholds, State

LONG_WINDOWS = 4.0
"""A suspicion that had lasted this long when the process ended was no warm-up; no confirmation ends sooner either."""

REPORTED_WINDOWS = (1.0, 4.0, 16.0, 64.0)
"""The lengths over which growth is reported that is not suspected."""

LEVEL_TAIL, LEVEL_TAU = 0.3, 0.5
"""A rise whose last third has less than this share of its slope has levelled off."""


class GrowthStateMachine:
    """Judges the growth of one series of values as they are added."""

    def __init__(self, thresholds: DetectorThresholds, begin: float) -> None:
        self._thresholds = thresholds
        self._now = begin
        self.reset(begin)

    def reset(self, at: float) -> None:
        """Forget the growth so far: values from here on are not comparable with those before."""
        self._suspicion = Suspicion(self._thresholds.window_seconds, self._thresholds.day_seconds)
        self._earlier_runs = EarlierRuns()
        self._begin(ProcessRun(at, self._thresholds.window_seconds))

    def restart(self, at: float) -> None:
        """Begin to judge the run of a new process; the heights of the run before count unless long suspected."""
        window = self._thresholds.window_seconds
        whole = self.run.whole()
        if whole:
            self._earlier_runs.add(whole, self._min_bytes(whole))
        lasted = self._suspicion.restart(LONG_WINDOWS * window, at)
        self._begin(ProcessRun(at, window, None if lasted else self.run))

    def _begin(self, run: ProcessRun) -> None:
        self.run = run
        self.newest: dict[float, Growth] = {}
        self.confirmed: Growth | None = None

    def add(self, at: float, size: float) -> bool:
        """Add a value of memory; return whether its growth was judged."""
        judged = False
        self._now = at
        for level in self.run.add(at, size):
            for growth in self.run.growths(level):
                self._suspicion.update(growth, self._min_bytes(growth), at)
                self._update_confirmation(growth, at)
                judged = True
            for growth in self.run.growths_between(level):
                self._update_confirmation(growth, at)
                judged = True
        return judged

    def state(self) -> tuple[State, Growth | None]:
        """Return the state and the growth that it rests on, ``None`` before a window has been seen."""
        window = self.newest.get(1.0)
        if window is None:
            return State.WARMING_UP, None
        if self.confirmed:
            return State.CONFIRMED, self._latest(self.confirmed)
        if self._suspicion.growth:
            return State.SUSPECTED, self._latest(self._suspicion.growth)
        for windows in REPORTED_WINDOWS:
            growth = self.newest.get(windows)
            if growth and growth.trend.gained >= self._min_bytes(growth):
                if is_steady(growth):
                    return State.GROWING, growth
                if growth.trend.tail_ratio < LEVEL_TAIL and growth.trend.tau >= LEVEL_TAU:
                    return State.PLATEAUED, growth
        return (State.PLATEAUED if self._suspicion.levelled_off(self._now) else State.STEADY), window

    def _latest(self, of: Growth) -> Growth:
        """Return the newest growth that continues ``of``: over the longest length through which it was steady."""
        steady = [growth for growth in self.newest.values() if growth.length >= of.length and self._matters(growth)]
        return max(steady, key=lambda growth: growth.seconds, default=self.newest[of.length.windows])

    def _matters(self, growth: Growth) -> bool:
        return growth.trend.gained >= self._min_bytes(growth) and is_steady(growth)

    def min_bytes(self) -> float:
        """Return the gain over a window from which growth matters now."""
        return self._min_bytes(self.newest[1.0])

    def known_growth(self) -> Growth | None:
        """Return the growth that a finding may be about: the confirmed or suspected one, or else the largest."""
        found = self.confirmed or self._suspicion.growth
        return (
            self._latest(found)
            if found
            else max(self.newest.values(), key=lambda growth: growth.trend.gained, default=None)
        )

    def confirm(self) -> None:
        """Confirm the growth because of a finding."""
        self.confirmed = self.known_growth()

    def clear(self, now: float) -> None:
        """End the suspicion because of a finding."""
        growth = self.known_growth()
        self.confirmed = None
        if growth:
            self._suspicion.clear(growth, now)

    def _update_confirmation(self, growth: Growth, now: float) -> None:
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
        if self._matters(growth) and self._earlier_runs.are_repeated_by(growth):
            return True
        return self._suspicion.may_confirm(growth) and is_confirmed(growth, self._min_bytes(growth))

    def _min_bytes(self, growth: Growth) -> float:
        return self._thresholds.min_bytes(growth.trend.first)
