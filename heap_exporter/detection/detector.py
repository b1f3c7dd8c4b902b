"""Judges a process by its memory as the samples come in: samples in, verdicts out.

Pure and deterministic: no clock, no thread, no I/O. What is recorded can be judged again, and is judged alike.
"""

from __future__ import annotations

from dataclasses import replace

from heap_exporter.detection import messages
from heap_exporter.detection.confirmation import windows_needed
from heap_exporter.detection.explanation import Explanation, explain
from heap_exporter.detection.limits_of_judging import DetectorThresholds
from heap_exporter.detection.measure import Measure
from heap_exporter.detection.state_machine import Course
from heap_exporter.detection.suspicion import is_steady
from heap_exporter.detection.thinned_history import Evidence
from heap_exporter.detection.windows import LENGTHS, Growth, Life
from heap_exporter.model import Cause, Finding, MemoryKind, MemoryTrend, Point, State, Verdict

__all__ = ["Detector", "DetectorThresholds"]

GROWS = (State.GROWING, State.SUSPECTED, State.CONFIRMED)


class Detector:
    """Takes points in order of time; a point that restarts, or goes back in time, begins a new life."""

    def __init__(self, thresholds: DetectorThresholds) -> None:
        self._thresholds = thresholds
        self._window_seconds = thresholds.window_seconds
        self._course: Course | None = None
        self._last_at = 0.0
        self._verdict: Verdict | None = None

    def observe(self, point: Point) -> Verdict:
        """Take note of a point and return the verdict as of now."""
        at = point.t_seconds
        if self._course is None or at < self._last_at:
            self._course = Course(self._thresholds, at)
            self._begin(at)
        elif point.restart:
            self._course.restart(at)
            self._begin(at)
        self._last_at = at
        self._evidence.add(point)
        judged = self._judge(self._course, point)
        if point.finding is not None:
            self._heed(self._course, point.finding, at)
        if judged or point.finding is not None or self._verdict is None:
            self._verdict = self._say(self._course, point)
        return self._verdict

    def _begin(self, at: float) -> None:
        self._evidence = Evidence(at, self._window_seconds)
        self._measure = Measure(self._window_seconds)
        self._pages = Life(at, self._window_seconds)
        self._finding: Finding | None = None
        self._explained: tuple[State, float, Explanation] | None = None
        self._verdict = None

    def _judge(self, course: Course, point: Point) -> bool:
        size = self._measure.bytes(point)
        if size is None:
            return False
        if self._measure.changed:  # nothing of before can be compared with it
            course.renew(point.t_seconds)
        if self._measure.is_private:
            self._pages.add(point.t_seconds, float(point.rss_bytes))
        return course.add(point.t_seconds, size)

    def _heed(self, course: Course, finding: Finding, now: float) -> None:
        self._finding = finding
        self._explained = None
        if finding.outcome == "confirms":
            course.confirm()
        else:
            course.clear(now)

    def _say(self, course: Course, point: Point) -> Verdict:
        state, growth = course.state()
        now, window = point.t_seconds, self._window_seconds
        if growth is None:
            return Verdict(now, state, (messages.warming_up(now - course.life.begin, window),), window)
        state = self._with_finding(state)
        if state is State.STEADY and (pages := self._growing_pages()):
            return self._say_pages(pages, now)
        explained = self._explain(state, growth, now)
        verdict = Verdict(
            judged_at=now,
            state=state,
            reasons=(),
            window_seconds=window,
            cause=self._cause(state, explained),
            trends=(MemoryTrend(MemoryKind.TOTAL, growth.slope), *explained.trends),
            evidence_seconds=growth.seconds,
            tail_ratio=growth.trend.tail,
            confidence=_confidence(state, growth, self._finding),
            seconds_to_limit=_seconds_to_limit(state, growth, point.limit_bytes),
        )
        return replace(verdict, reasons=self._reasons(verdict, growth, explained, course, point))

    def _with_finding(self, state: State) -> State:
        """Return the state as the finding has it, and forget the finding when what it was about is over."""
        if self._finding is None:
            return state
        cleared = self._finding.outcome == "clears"
        over = (State.SUSPECTED, State.CONFIRMED) if cleared else (State.GROWING, State.SUSPECTED)
        if state in (State.STEADY, *over):
            self._finding = None
            return state
        return State.GROWING if cleared else state

    def _growing_pages(self) -> Growth | None:
        """Return the growth of RSS where private memory is known and does not grow, if RSS does."""
        if not self._measure.is_private:
            return None
        growth = self._pages.growth(LENGTHS[0][0])
        if growth and growth.trend.gained >= self._thresholds.min_bytes(growth.trend.first) and is_steady(growth):
            return growth
        return None

    def _say_pages(self, growth: Growth, now: float) -> Verdict:
        return Verdict(
            judged_at=now,
            state=State.GROWING,
            reasons=(
                messages.grown(growth, self._window_seconds),
                "private memory does not grow: these are pages of files, which the kernel takes back when it needs to",
            ),
            window_seconds=self._window_seconds,
            cause=Cause.FILE_OR_SHARED,
            trends=(MemoryTrend(MemoryKind.TOTAL, growth.slope),),
            evidence_seconds=growth.seconds,
            tail_ratio=growth.trend.tail,
        )

    def _explain(self, state: State, growth: Growth, now: float) -> Explanation:
        """Return what the growth consists of, worked out once a window and when the state changes."""
        if self._explained:
            before, at, explained = self._explained
            if before is state and now - at < self._window_seconds:
                return explained
        explained = explain(self._evidence.of(growth.seconds), with_cause=state in GROWS)
        self._explained = state, now, explained
        return explained

    def _cause(self, state: State, explained: Explanation) -> Cause | None:
        if state in GROWS and self._finding and self._finding.cause:
            return self._finding.cause
        return explained.cause

    def _reasons(
        self, verdict: Verdict, growth: Growth, explained: Explanation, course: Course, point: Point
    ) -> tuple[str, ...]:
        said = [self._finding.reason] if self._finding else []
        if verdict.state is State.STEADY:
            return (*said, messages.calm(growth, course.min_bytes()))
        said += [messages.grown(growth, self._window_seconds), messages.tail(growth), messages.manner(growth)]
        said += messages.parts(verdict.trends)
        if verdict.state in GROWS:
            said.append(messages.outlook(verdict, growth))
        if verdict.seconds_to_limit is not None and point.limit_bytes is not None:
            said.append(messages.limit(point.limit_bytes, verdict.seconds_to_limit))
        return (*said, *explained.reasons)


def _confidence(state: State, growth: Growth, finding: Finding | None) -> float:
    """Return how sure a leak is: by how steadily memory grows, and how much of the time to be sure has passed."""
    if finding:
        return 1.0 if finding.outcome == "confirms" else 0.0
    if state not in (State.SUSPECTED, State.CONFIRMED):
        return 0.0
    passed = 1.0 if state is State.CONFIRMED else min(growth.length.windows / windows_needed(growth), 1.0)
    return min(max(growth.trend.rising, 0.0), 1.0) * (0.4 + 0.6 * passed)


def _seconds_to_limit(state: State, growth: Growth, limit_bytes: int | None) -> float | None:
    if limit_bytes is None or state not in GROWS or growth.slope <= 0:
        return None
    return max(limit_bytes - growth.trend.last, 0.0) / growth.slope
