"""The state of the growth of a process: from probabilities of a leak, and from evidence such as compared snapshots.

A probability has to stay high to confirm a leak, and must fall clearly to end a suspicion. Evidence outweighs it:
evidence that confirms a leak counts at once, and evidence that clears a suspicion counts until as much again has grown.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from heap_exporter.detection.windows import Growth
from heap_exporter.model import DetectorThresholds, Finding, State

MIN_AGE_WINDOWS = 1.0
"""Age of the first runs of a process from which they are judged: younger ones still start."""

MIN_RUNS = 2
"""Earlier runs from which a run of the process is known; short ones make a younger run known."""

YOUNG_SHARE = 1 / 32
"""Share of the usual time for which a probability must stay high in a younger run."""

YOUNG_CONFIRMED = 0.82
"""Probability that confirms a leak in a younger run: its earlier runs have shown the same."""

EARLY_WINDOWS, EARLY_CONFIRMED = 4.0, 0.98
"""A run without earlier runs needs this probability up to that age: caches fill and heaps settle then."""

HIGH_MARGIN = 0.06
"""By how much a high probability may fall before it is no longer high."""

CLEARLY_NEW = 2.0
"""Multiple of the gain that must be gained again after evidence has cleared the suspicion."""

PLATEAU, PLATEAU_WINDOWS = 0.25, 4.0
"""Share of the confirmed slope below which growth has levelled off, over a stretch of so many windows at least."""

LEVEL_TAIL, LEVEL_TAU = 0.3, 0.5
"""A rise whose last third has less than this share of its slope has levelled off."""


class StateThresholds(NamedTuple):
    """The probabilities at which the states of a leak begin and end.

    ``confirming_windows`` is how long a probability must stay high to confirm, in windows; ``more_each_time`` is by how
    much ``suspected`` rises, in log odds, with each suspicion of the last day that ended unconfirmed.
    """

    suspected: float
    not_suspected: float
    confirmed: float
    confirming_windows: float
    more_each_time: float


class Judgement(NamedTuple):
    """What was judged at a time: the probability of a leak, and the growths over all stretches that are known.

    ``age_windows`` is that of the run, ``earlier_runs`` the number of runs before it, ``short_runs`` the same if they
    were short, else 0; ``is_trusted`` is false shortly after a gap between samples.
    """

    at: float
    probability: float
    growths: tuple[Growth, ...]
    age_windows: float
    earlier_runs: int
    short_runs: int
    is_trusted: bool

    @property
    def is_judgeable(self) -> bool:
        """Return whether a state can rest on it."""
        is_known = self.age_windows >= MIN_AGE_WINDOWS or self.short_runs >= MIN_RUNS
        return bool(self.growths) and is_known


class GrowthStateMachine:
    """The state of the growth of one service, through the runs of its process."""

    def __init__(self, thresholds: DetectorThresholds, states: StateThresholds) -> None:
        self._thresholds = thresholds
        self._states = states
        self._ended_at: deque[float] = deque(maxlen=8)
        self._begin(ended_high=False)

    def restart(self) -> None:
        """Begin with a new run of the process, or with values that cannot be compared with those before."""
        if self.judgement is not None and self._suspected_at is not None and self._confirmed is None:
            self._ended_at.append(self.judgement.at)
        self._begin(ended_high=self._high_since is not None)

    def _begin(self, *, ended_high: bool) -> None:
        self.judgement: Judgement | None = None
        self._suspected_at: float | None = None
        self._ended_high = ended_high
        self._high_since: float | None = None
        self._confirmed: Growth | None = None
        self._cleared_until = -math.inf
        self._last_suspicion: tuple[float, float] | None = None

    def update(self, judgement: Judgement) -> None:
        """Take a new judgement."""
        self.judgement = judgement
        if not judgement.is_judgeable:
            return
        if self._confirmed is not None:
            if self._has_levelled_off(self._confirmed):
                self._confirmed = None
                self._end_suspicion()
            return
        probability = judgement.probability
        if self._suspected_at is None:
            if probability >= self._needed_probability() and self._may_be_suspected():
                self._suspected_at = judgement.at
        elif probability < self._states.not_suspected:
            self._end_suspicion()
        if not (self._suspected_at is not None and judgement.is_trusted and self._is_high(judgement)):
            self._high_since = None
            return
        self._high_since = judgement.at if self._high_since is None else self._high_since
        if judgement.at - self._high_since >= self._confirming_seconds(judgement):
            self._confirmed = self.growth()

    def apply(self, evidence: Finding) -> None:
        """Take evidence of any source: a leak is confirmed at once, or cleared until growth is clearly new."""
        growth = self.growth()
        if growth is None:
            return
        if evidence.confirms:
            self._confirmed = growth
            return
        self._confirmed = None
        self._end_suspicion()
        height = growth.trend.last
        self._cleared_until = height + CLEARLY_NEW * max(height - growth.trend.first, 0.0)

    def state(self) -> State:
        """Return the state as of the last judgement."""
        judgement = self.judgement
        if self._confirmed is not None:
            return State.CONFIRMED
        if self._suspected_at is not None:
            return State.SUSPECTED
        if judgement is None or not judgement.growths or judgement.age_windows < MIN_AGE_WINDOWS:
            return State.WARMING_UP
        for growth in judgement.growths:
            if growth.windows >= 1 and self._matters(growth):
                if growth.is_steady:
                    return State.GROWING
                if growth.trend.tail_ratio < LEVEL_TAIL and growth.trend.tau >= LEVEL_TAU:
                    return State.PLATEAUED
        return State.PLATEAUED if self._levelled_off_lately(judgement.at) else State.STEADY

    def growth(self) -> Growth | None:
        """Return the growth that the state is about: the longest steady one that matters, else the largest."""
        growths = self.judgement.growths if self.judgement else ()
        steady = [growth for growth in growths if growth.is_steady and self._matters(growth)]
        if steady:
            return max(steady, key=lambda growth: growth.seconds)
        if self._suspected_at is not None or self._confirmed is not None:
            return max(growths, key=lambda growth: growth.trend.gained, default=None)
        return next((growth for growth in growths if growth.windows >= 1), growths[-1] if growths else None)

    def min_bytes(self, growth: Growth) -> float:
        """Return the gain from which a growth matters."""
        return self._thresholds.min_bytes(growth.trend.first)

    def _matters(self, growth: Growth) -> bool:
        return growth.trend.gained >= self.min_bytes(growth)

    def _may_be_suspected(self) -> bool:
        """Return whether some growth matters, and is above the height up to which evidence has cleared it."""
        assert self.judgement is not None
        growths = self.judgement.growths
        return any(map(self._matters, growths)) and growths[0].trend.recent_low >= self._cleared_until

    def _needed_probability(self) -> float:
        assert self.judgement is not None
        lately = sum(self.judgement.at - at < self._thresholds.day_seconds for at in self._ended_at)
        suspected = self._states.suspected
        odds = suspected / (1 - suspected) * math.exp(self._states.more_each_time * lately)
        return min(odds / (1 + odds), self._states.confirmed)

    def _is_high(self, judgement: Judgement) -> bool:
        """Return whether the probability is as high as it must stay for a while to confirm a leak."""
        margin = 0.0 if self._high_since is None else HIGH_MARGIN
        return judgement.probability >= self._confirming_probability(judgement) - margin

    def _confirming_probability(self, judgement: Judgement) -> float:
        if judgement.age_windows < MIN_AGE_WINDOWS:
            return YOUNG_CONFIRMED
        is_early = judgement.age_windows < EARLY_WINDOWS and judgement.earlier_runs < MIN_RUNS
        return max(EARLY_CONFIRMED, self._states.confirmed) if is_early else self._states.confirmed

    def _confirming_seconds(self, judgement: Judgement) -> float:
        """Return how long a probability must stay high to confirm: shorter in a run that ends soon, as those before.

        If it was high at the end of the run before, it need not stay high again.
        """
        young_share = 0.0 if self._ended_high else YOUNG_SHARE
        share = 1.0 if judgement.age_windows >= MIN_AGE_WINDOWS else young_share
        return share * self._states.confirming_windows * self._thresholds.window_seconds

    def _end_suspicion(self) -> None:
        assert self.judgement is not None
        if self._suspected_at is not None:
            self._last_suspicion = self.judgement.at, self.judgement.at - self._suspected_at
            self._ended_at.append(self.judgement.at)
        self._suspected_at = self._high_since = None

    def _levelled_off_lately(self, now: float) -> bool:
        """Return whether a suspicion ended unconfirmed, not longer ago than it had lasted."""
        return self._last_suspicion is not None and now - self._last_suspicion[0] <= self._last_suspicion[1]

    def _has_levelled_off(self, confirmed: Growth) -> bool:
        assert self.judgement is not None
        windows = max(confirmed.windows, PLATEAU_WINDOWS)
        return any(
            windows <= growth.windows < 2 * windows and growth.slope < PLATEAU * confirmed.slope
            for growth in self.judgement.growths
        )
