"""Judges a process by its memory as the samples come in: samples in, verdicts out.

Pure and deterministic: no clock, no thread, no I/O. What is recorded can be judged again, and is judged alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from heap_exporter.detection import words
from heap_exporter.detection.confirmation import is_confirmed, windows_needed
from heap_exporter.detection.life import LENGTHS, Growth, Life
from heap_exporter.detection.lives import Lives
from heap_exporter.detection.suspicion import Suspicion, is_steady
from heap_exporter.model import Kind, Point, State, Trend, Verdict

DAY_SECONDS = 86_400.0
WINDOWS_A_DAY = 96.0
LONG_WINDOWS = 4.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What counts as growth: seconds, percent of what was there before, bytes an hour over a window.

    The larger of the two is an amount, whatever the time it takes: a slow leak reaches it late, and is seen then.
    """

    window_seconds: float
    growth_percent: float
    min_slope_bytes_per_hour: float


class Detector:
    """Takes points in order of time; a point that restarts, or goes back in time, begins a new life."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._day_seconds = min(DAY_SECONDS, WINDOWS_A_DAY * thresholds.window_seconds)
        self._last_at: float | None = None
        self._life: Life | None = None
        self._lives = Lives()
        self._suspicion = Suspicion(self._day_seconds)

    def observe(self, point: Point) -> Verdict:
        """Take note of a point and return the verdict as of now."""
        at = point.t_seconds
        if self._last_at is None or point.restart or at < self._last_at:
            self._begin(at, ended=self._life if point.restart else None)
        self._last_at = at
        judged = False
        for level in self._life.add(at, float(point.growing_bytes)):
            for length in LENGTHS[level]:
                growth = self._life.growth(length)
                if growth is not None:
                    self._look(growth, at)
                    judged = True
        if judged or self._verdict is None:
            self._verdict = self._say(point)
        return self._verdict

    def _begin(self, at: float, *, ended: Life | None = None) -> None:
        lasted = self._suspicion.restart(LONG_WINDOWS * self._thresholds.window_seconds, at)
        if ended:
            whole = ended.whole()
            self._lives.end(whole, self.least_bytes(whole) if whole else 0.0)
        self._life = Life(at, self._thresholds.window_seconds, None if lasted else ended)
        self._confirmed: Growth | None = None
        self._newest: dict[float, Growth] = {}
        self._verdict: Verdict | None = None

    def least_bytes(self, growth: Growth) -> float:
        """Return the gain from which growth matters."""
        limits = self._thresholds
        share = limits.growth_percent / 100 * max(growth.trend.first, 0.0)
        return max(share, limits.min_slope_bytes_per_hour / 3600 * limits.window_seconds)

    def _look(self, growth: Growth, now: float) -> None:
        self._newest[growth.length.windows] = growth
        least = self.least_bytes(growth)
        self._suspicion.look(growth, least, now)
        if self._confirmed is None and (
            is_confirmed(growth, least)
            or (growth.trend.gained >= least and is_steady(growth) and self._lives.repeat(growth))
        ):
            self._confirmed = growth
        elif self._confirmed and self._confirmed.length == growth.length:
            if growth.slope < 0.25 * self._confirmed.slope:
                self._confirmed = None

    def _state(self) -> tuple[State, Growth | None]:
        window = self._newest.get(1.0)
        if window is None:
            return State.WARMING_UP, None
        if self._confirmed:
            return State.CONFIRMED, self._confirmed
        if self._suspicion.of:
            return State.SUSPECTED, self._suspicion.of
        for windows in (1.0, 4.0, 16.0):
            growth = self._newest.get(windows)
            if growth and growth.trend.gained >= self.least_bytes(growth):
                return (State.PLATEAUED if growth.trend.tail < 0.3 else State.GROWING), growth
        return State.STEADY, window

    def _say(self, point: Point) -> Verdict:
        state, growth = self._state()
        seconds = self._thresholds.window_seconds
        if growth is None:
            seen = point.t_seconds - self._life.begin
            return Verdict(
                point.t_seconds, state, (f"{seen:.0f} s of the {seconds:.0f} s window have been seen",), seconds
            )
        line = growth.trend
        share = min(1.0, growth.length.windows / windows_needed(growth))
        left = None
        if point.limit_bytes is not None and state in (State.GROWING, State.SUSPECTED, State.CONFIRMED):
            left = max(point.limit_bytes - line.last, 0.0) / growth.slope
        return Verdict(
            judged_at=point.t_seconds,
            state=state,
            reasons=(
                f"grew by {words.size(line.gained)} in {words.time(growth.seconds)}: {words.rate(growth.slope)}",
                f"the last third grew at {line.tail:.0%} of that rate",
            ),
            window_seconds=seconds,
            trends=(Trend(Kind.TOTAL, growth.slope),),
            evidence_seconds=growth.seconds,
            tail_ratio=line.tail,
            confidence=max(0.0, min(1.0, line.rising)) * (0.5 + 0.5 * share) if is_steady(growth) else 0.0,
            seconds_to_limit=left,
        )
