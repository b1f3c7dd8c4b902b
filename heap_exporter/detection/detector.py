"""The detector: samples in, verdicts out.

Pure and deterministic: no clock, no thread, no I/O. A recorded series gets the same verdicts each time it is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from heap_exporter.detection import reasons
from heap_exporter.detection.attribution import Explanation, explain
from heap_exporter.detection.growth_history import GrowthHistory
from heap_exporter.detection.history import ThinnedHistory
from heap_exporter.detection.leak_model import LeakModel, committed_model
from heap_exporter.detection.state_machine import GrowthStateMachine, Judgement
from heap_exporter.detection.windows import WINDOW_LEVEL, Growth, ProcessRun
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


class _Explained(NamedTuple):
    """What the judged growth consists of, and by how much each feature moves its probability, as of a time."""

    state: State
    at: float
    explanation: Explanation
    contributions: Sequence[float]


class Detector:
    """Judges points in order of time; a point that restarts, or goes back in time, begins a new run."""

    def __init__(self, thresholds: DetectorThresholds) -> None:
        self._thresholds = thresholds
        self._window_seconds = thresholds.window_seconds
        self._growth = GrowthHistory(self._window_seconds)
        self._states: GrowthStateMachine | None = None
        self._verdict: Verdict | None = None
        self._finding: Finding | None = None
        self._explained: _Explained | None = None
        self._vector: list[float] = []

    def add_earlier_run(self, points: Sequence[Point]) -> None:
        """Add a run of the process before the first point that the detector judges, its points oldest first.

        Only its end is judged: the next run is known sooner if the probability of a leak was high then.
        """
        for place, point in enumerate(points):
            self._growth.add(point._replace(restart=place == 0))
        self._machine.restart()
        if points:
            self._judge(points[-1].t_seconds)

    def observe(self, point: Point) -> Verdict:
        """Judge a new point and return the detector's verdict as of now."""
        growth = self._growth
        growth.add(point)
        if growth.has_begun:
            self._begin(point.t_seconds)
        if growth.has_begun or growth.memory.has_changed:
            self._machine.restart()
        self._history.add(point)
        if growth.memory.is_private:
            self._resident.add(point.t_seconds, float(point.rss_bytes))
        if growth.is_due:
            self._judge(point.t_seconds)
        if point.finding is not None:
            self._finding = point.finding
            self._explained = None
            self._machine.apply(point.finding)
        is_warming_up = self._verdict is None or self._verdict.state is State.WARMING_UP
        if growth.is_due or point.finding is not None or is_warming_up:  # the warm-up counts up with each point
            self._verdict = self._new_verdict(point)
        assert self._verdict is not None
        return self._verdict

    @property
    def _model(self) -> LeakModel:
        return committed_model()

    @property
    def _machine(self) -> GrowthStateMachine:
        # No cached_property: in Python 3.11 it has a lock, which another thread may hold when the process forks.
        if self._states is None:
            self._states = GrowthStateMachine(self._thresholds, self._model.states)
        return self._states

    def _begin(self, at: float) -> None:
        self._history = ThinnedHistory(at, self._window_seconds)
        self._resident = ProcessRun(at, self._window_seconds)
        self._finding = None
        self._explained = None
        self._verdict = None

    def _judge(self, at: float) -> None:
        self._vector = self._growth.features.vector()
        self._machine.update(
            Judgement(
                at=at,
                probability=self._model.probability(self._vector),
                growths=self._growth.features.growths(),
                age_windows=self._growth.run.windows,
                earlier_runs=self._growth.earlier.summary.ended,
                short_runs=self._growth.earlier.summary.short,
                is_trusted=at >= self._growth.trusted_from,
            )
        )

    def _new_verdict(self, point: Point) -> Verdict:
        machine = self._machine
        state, growth = machine.state(), machine.growth()
        now, window = point.t_seconds, self._window_seconds
        if growth is None or state is State.WARMING_UP:
            return Verdict(now, State.WARMING_UP, (reasons.warming_up(now - self._growth.run.begin, window),), window)
        state = self._with_finding(state)
        if state is State.STEADY and (resident := self._growth_of_file_pages()):
            return self._file_page_verdict(resident, now)
        explained = self._explain(state, growth, now)
        verdict = Verdict(
            judged_at=now,
            state=state,
            reasons=(),
            window_seconds=window,
            cause=self._cause(state, explained.explanation),
            trends=(MemoryTrend(MemoryKind.TOTAL, growth.slope), *explained.explanation.trends),
            evidence_seconds=growth.seconds,
            tail_ratio=growth.trend.tail_ratio,
            confidence=_confidence(machine, self._finding),
            seconds_to_limit=_seconds_to_limit(state, growth, point.limit_bytes),
            finding=self._finding,
        )
        return replace(verdict, reasons=self._reasons(verdict, growth, explained, point.limit_bytes))

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
        if not self._growth.memory.is_private:
            return None
        growth = self._resident.growth(WINDOW_LEVEL)
        if growth and growth.trend.gained >= self._thresholds.min_bytes(growth.trend.first) and growth.is_steady:
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

    def _explain(self, state: State, growth: Growth, now: float) -> _Explained:
        """Explain the judged growth, once a window and when the state changes."""
        before = self._explained
        if before and before.state is state and now - before.at < self._window_seconds:
            return before
        grows = state in GROWS
        explanation = explain(self._history.last(growth.seconds), with_cause=grows)
        contributions = self._model.contributions(self._vector) if grows else ()
        self._explained = _Explained(state, now, explanation, contributions)
        return self._explained

    def _cause(self, state: State, explained: Explanation) -> Cause | None:
        if state in GROWS and self._finding and self._finding.cause:
            return self._finding.cause
        return explained.cause

    def _reasons(
        self, verdict: Verdict, growth: Growth, explained: _Explained, limit_bytes: int | None
    ) -> tuple[Reason, ...]:
        if verdict.state is State.STEADY:
            return reasons.steady(growth, self._machine.min_bytes(growth))
        of_model: list[Reason] = []
        if verdict.state in GROWS:
            of_model = reasons.of_contributions(explained.contributions, growth, self._growth.earlier.summary)
        to_limit: list[Reason] = []
        if verdict.seconds_to_limit is not None and limit_bytes is not None:
            to_limit = [reasons.time_to_limit(limit_bytes, verdict.seconds_to_limit)]
        found = [reasons.grew(growth), *of_model[:1], *explained.explanation.reasons, *to_limit, *of_model[1:]]
        return reasons.limited(verdict, found)


def _confidence(machine: GrowthStateMachine, finding: Finding | None) -> float:
    """Return the probability of a leak, 0 to 1: that of evidence if there is some, else that of the growth."""
    if finding:
        return 1.0 if finding.confirms else 0.0
    return machine.judgement.probability if machine.judgement else 0.0


def _seconds_to_limit(state: State, growth: Growth, limit_bytes: int | None) -> float | None:
    if limit_bytes is None or state not in GROWS or growth.slope <= 0:
        return None
    return max(limit_bytes - growth.trend.last, 0.0) / growth.slope
