"""The detector: samples in, verdicts out.

Pure and deterministic: no clock, no thread, no I/O. A recorded series gets the same verdicts each time it is judged.
"""

from __future__ import annotations

from dataclasses import replace

from heap_exporter.detection import reasons
from heap_exporter.detection.attribution import Explanation, explain
from heap_exporter.detection.confirmation import windows_needed
from heap_exporter.detection.history import ThinnedHistory
from heap_exporter.detection.state_machine import GrowthStateMachine
from heap_exporter.detection.suspicion import is_steady
from heap_exporter.detection.windows import LENGTHS, Growth, ProcessRun
from heap_exporter.model import (
    Cause,
    DetectorThresholds,
    Finding,
    MemoryKind,
    MemoryTrend,
    Point,
    Reason,
    ReasonKind,
    State,
    Verdict,
)

GROWS = (State.GROWING, State.SUSPECTED, State.CONFIRMED)

MAX_UNKNOWN_WINDOWS = 1.0
"""How long private memory may be unknown before RSS is judged instead."""


class JudgedMemory:
    """The memory of each point that is judged: private memory where it is known, else RSS."""

    def __init__(self, window_seconds: float) -> None:
        self._max_unknown_seconds = MAX_UNKNOWN_WINDOWS * window_seconds
        self._private_at: float | None = None
        self._was_private: bool | None = None
        self.has_changed = False

    def bytes(self, point: Point) -> float | None:
        """Return the bytes that the detector judges, or ``None`` if the point lacks them.

        ``has_changed`` is true if they are RSS and those before were private memory, or the reverse.
        """
        self.has_changed = False
        if point.anonymous_bytes is not None:
            self._private_at = point.t_seconds
        elif self._private_at is not None:
            if point.t_seconds - self._private_at <= self._max_unknown_seconds:
                return None
            self._private_at = None
        self.has_changed = self._was_private not in (None, self.is_private)
        self._was_private = self.is_private
        return float(point.growing_bytes) if point.growing_bytes > 0 else None

    @property
    def is_private(self) -> bool:
        """Return whether the last judged bytes were private memory."""
        return self._private_at is not None


class Detector:
    """Judges points in order of time; a point that restarts, or goes back in time, begins a new run."""

    def __init__(self, thresholds: DetectorThresholds) -> None:
        self._thresholds = thresholds
        self._window_seconds = thresholds.window_seconds
        self._machine: GrowthStateMachine | None = None
        self._last_at = 0.0
        self._verdict: Verdict | None = None

    def observe(self, point: Point) -> Verdict:
        """Judge a new point and return the detector's verdict as of now."""
        at = point.t_seconds
        if self._machine is None or at < self._last_at:
            self._machine = GrowthStateMachine(self._thresholds, at)
            self._begin(at)
        elif point.restart:
            self._machine.restart(at)
            self._begin(at)
        self._last_at = at
        self._history.add(point)
        judged = self._judge(self._machine, point)
        if point.finding is not None:
            self._apply(self._machine, point.finding, at)
        is_warming_up = self._verdict is None or self._verdict.state is State.WARMING_UP
        if judged or point.finding is not None or is_warming_up:  # the warm-up counts up with each point
            self._verdict = self._new_verdict(self._machine, point)
        assert self._verdict is not None
        return self._verdict

    def _begin(self, at: float) -> None:
        self._history = ThinnedHistory(at, self._window_seconds)
        self._memory = JudgedMemory(self._window_seconds)
        self._resident = ProcessRun(at, self._window_seconds)
        self._finding: Finding | None = None
        self._explained: tuple[State, float, Explanation] | None = None
        self._verdict = None

    def _judge(self, machine: GrowthStateMachine, point: Point) -> bool:
        size = self._memory.bytes(point)
        if size is None:
            return False
        if self._memory.has_changed:  # no earlier value can be compared with it
            machine.reset(point.t_seconds)
        if self._memory.is_private:
            self._resident.add(point.t_seconds, float(point.rss_bytes))
        return machine.add(point.t_seconds, size)

    def _apply(self, machine: GrowthStateMachine, finding: Finding, now: float) -> None:
        self._finding = finding
        self._explained = None
        if finding.confirms:
            machine.confirm()
        else:
            machine.clear(now)

    def _new_verdict(self, machine: GrowthStateMachine, point: Point) -> Verdict:
        state, growth = machine.state()
        now, window = point.t_seconds, self._window_seconds
        if growth is None:
            return Verdict(now, state, (reasons.warming_up(now - machine.run.begin, window),), window)
        state = self._with_finding(state)
        if state is State.STEADY and (resident := self._growth_of_file_pages()):
            return self._file_page_verdict(resident, now)
        explained = self._explain(state, growth, now)
        verdict = Verdict(
            judged_at=now,
            state=state,
            reasons=(),
            window_seconds=window,
            cause=self._cause(state, explained),
            trends=(MemoryTrend(MemoryKind.TOTAL, growth.slope), *explained.trends),
            evidence_seconds=growth.seconds,
            tail_ratio=growth.trend.tail_ratio,
            confidence=_confidence(state, growth, self._finding),
            seconds_to_limit=_seconds_to_limit(state, growth, point.limit_bytes),
            finding=self._finding,
        )
        return replace(verdict, reasons=_reasons(verdict, growth, explained, machine.min_bytes(), point.limit_bytes))

    def _with_finding(self, state: State) -> State:
        """Return the detector's state with a finding applied; forget the finding when the growth has ended."""
        if self._finding is None:
            return state
        cleared = not self._finding.confirms
        over = (State.SUSPECTED, State.CONFIRMED) if cleared else (State.GROWING, State.SUSPECTED)
        if state in (State.STEADY, *over):
            self._finding = None
            return state
        return State.GROWING if cleared else state

    def _growth_of_file_pages(self) -> Growth | None:
        """Return the growth of RSS where private memory is known and does not grow, if RSS does."""
        if not self._memory.is_private:
            return None
        growth = self._resident.growth(LENGTHS[0][0])
        if growth and growth.trend.gained >= self._thresholds.min_bytes(growth.trend.first) and is_steady(growth):
            return growth
        return None

    def _file_page_verdict(self, growth: Growth, now: float) -> Verdict:
        return Verdict(
            judged_at=now,
            state=State.GROWING,
            reasons=(reasons.grew(growth), Reason(ReasonKind.ONLY_FILE_PAGES)),
            window_seconds=self._window_seconds,
            cause=Cause.FILE_OR_SHARED,
            trends=(MemoryTrend(MemoryKind.TOTAL, growth.slope),),
            evidence_seconds=growth.seconds,
            tail_ratio=growth.trend.tail_ratio,
        )

    def _explain(self, state: State, growth: Growth, now: float) -> Explanation:
        """Return what the judged growth consists of, computed once a window and when the state changes."""
        if self._explained:
            before, at, explained = self._explained
            if before is state and now - at < self._window_seconds:
                return explained
        explained = explain(self._history.last(growth.seconds), with_cause=state in GROWS)
        self._explained = state, now, explained
        return explained

    def _cause(self, state: State, explained: Explanation) -> Cause | None:
        if state in GROWS and self._finding and self._finding.cause:
            return self._finding.cause
        return explained.cause


def _reasons(
    verdict: Verdict, growth: Growth, explained: Explanation, min_bytes: float, limit_bytes: int | None
) -> tuple[Reason, ...]:
    if verdict.state is State.STEADY:
        return reasons.steady(growth, min_bytes)
    found = [reasons.grew(growth), reasons.last_third(growth), reasons.lows_rise(growth)]
    found += reasons.memory_slopes(verdict.trends)
    if verdict.state in GROWS:
        found += reasons.outlook(verdict, growth)
    if verdict.seconds_to_limit is not None and limit_bytes is not None:
        found.append(reasons.time_to_limit(limit_bytes, verdict.seconds_to_limit))
    return (*found, *explained.reasons)


def _confidence(state: State, growth: Growth, finding: Finding | None) -> float:
    """Return the confidence in a leak, 0 to 1: from the steadiness of the growth, and the share of the time needed."""
    if finding:
        return 1.0 if finding.confirms else 0.0
    if state not in (State.SUSPECTED, State.CONFIRMED):
        return 0.0
    passed = 1.0 if state is State.CONFIRMED else min(growth.length.windows / windows_needed(growth), 1.0)
    return min(max(growth.trend.tau, 0.0), 1.0) * (0.4 + 0.6 * passed)


def _seconds_to_limit(state: State, growth: Growth, limit_bytes: int | None) -> float | None:
    if limit_bytes is None or state not in GROWS or growth.slope <= 0:
        return None
    return max(limit_bytes - growth.trend.last, 0.0) / growth.slope
