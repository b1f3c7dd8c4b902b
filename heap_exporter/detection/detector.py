"""Judges the window: whether the process grows, whether it still does, and which memory it is.

Pure: what is known goes in, a verdict comes out; no clock, no thread, no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heap_exporter.detection.history import History
from heap_exporter.detection.trend import Slope, seen_seconds, slope
from heap_exporter.model import Grower, Kind, State, Trend, Verdict

LEAST_RISING = 0.7
"""Kendall's tau of the floors from which a rise counts as steady."""

LEAST_TAIL = 0.5
"""Share of the window's slope that its last third must still have; a cache falls below as it nears its limit."""

PLATEAU_TAIL = 0.3
LEAST_SHARE = 0.6
"""Share of the growth that one kind of memory must explain to be named as its cause."""

LEAST_GROWER_SHARE = 0.1
"""Share of the growth that growing types must have to make it Python's: the strings they hold are in no census."""

LEAST_NAMED_SHARE = 0.02
"""Share of the largest gain that a type of the application's own must have to be named before a builtin one."""

FULL_WINDOW = 0.95
"""How much of the window must have been seen: the last sample is never taken at its very end."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What counts as growth: seconds, percent of the window's first floor, bytes an hour."""

    window_seconds: float
    growth_percent: float
    min_slope_bytes_per_hour: float


def judge(
    history: History,
    growers: Sequence[Grower],
    now: float,
    thresholds: Thresholds,
    limit_bytes: int | None = None,
) -> Verdict:
    """Return the verdict on the window that ends at ``now`` (Unix seconds)."""
    since = now - thresholds.window_seconds
    slopes = {kind: slope(history.series(kind, since), since, now) for kind in Kind}
    state, reasons = _state(history, slopes[Kind.TOTAL], since, thresholds)
    total = slopes[Kind.TOTAL]
    return Verdict(
        judged_at=now,
        state=state,
        reasons=(*reasons, *_name_grower(state, growers)),
        window_seconds=thresholds.window_seconds,
        trends=_trends(state, slopes, growers, thresholds.window_seconds),
        growers=tuple(growers[:10]),
        seconds_to_limit=_seconds_to_limit(state, total, limit_bytes),
    )


def _state(
    history: History, total: Slope | None, since: float, thresholds: Thresholds
) -> tuple[State, tuple[str, ...]]:
    """Return the state and the reasons for it, strongest first."""
    series = history.series(Kind.TOTAL, since)
    seen, window = seen_seconds(series), thresholds.window_seconds
    if total is None or seen < FULL_WINDOW * window:
        return State.WARMING_UP, (f"{seen:.0f} s of the {window:.0f} s window have been seen",)
    growth = total.per_second * window
    least = max(
        thresholds.growth_percent / 100 * total.first_floor, thresholds.min_slope_bytes_per_hour / 3600 * window
    )
    if growth < least:
        return State.STEADY, (f"grew by {_mib(growth)} over the window, less than the {_mib(least)} that would matter",)
    tail = total.tail_per_second / total.per_second
    words = f"grew by {_mib(growth)} over {window:.0f} s ({_mib(total.per_second * 3600)}/h)"
    if tail < PLATEAU_TAIL:
        return State.PLATEAUED, (words, f"but the last third of the window grew at only {tail:.0%} of that rate")
    if total.rising < LEAST_RISING or tail < LEAST_TAIL or not total.new_high:
        return State.GROWING, (words, f"but not steadily: {_manner(total, tail)}")
    return State.SUSPECTED, (words, _manner(total, tail))


def _trends(
    state: State, slopes: dict[Kind, Slope | None], growers: Sequence[Grower], window_seconds: float
) -> tuple[Trend, ...]:
    total = slopes[Kind.TOTAL]
    growth = total.per_second if total else 0.0
    gained = sum(gain.bytes for gain in growers if gain.objects > 0)
    explained = {kind: found is not None and found.per_second >= LEAST_SHARE * growth for kind, found in slopes.items()}
    explained[Kind.PYTHON] = explained[Kind.PYTHON] or gained >= LEAST_GROWER_SHARE * growth * window_seconds
    explained[Kind.NATIVE] = explained[Kind.NATIVE] and not explained[Kind.PYTHON]
    return tuple(
        Trend(kind, found.per_second, max(found.rising, 0.0), state is State.SUSPECTED and explained[kind])
        for kind, found in slopes.items()
        if found is not None
    )


def top_grower(growers: Sequence[Grower]) -> Grower | None:
    """Return the type to name: the application's own that gained most, or else the builtin one.

    A leak of sessions gains most bytes in the dicts that sessions are made of, but ``dict`` tells nobody anything.
    """
    least = LEAST_NAMED_SHARE * growers[0].bytes if growers else 0.0
    own = [gain for gain in growers if "." in gain.type_name and gain.bytes >= least]
    return next(iter(own or growers), None)


def _name_grower(state: State, growers: Sequence[Grower]) -> tuple[str, ...]:
    top = top_grower(growers)
    if top is None or state not in (State.SUSPECTED, State.GROWING):
        return ()
    return (f"the type that grows: {top.type_name} (+{top.objects:,} objects, +{_mib(top.bytes)})",)


def _seconds_to_limit(state: State, total: Slope | None, limit_bytes: int | None) -> float | None:
    if limit_bytes is None or total is None or state not in (State.SUSPECTED, State.GROWING):
        return None
    return max(limit_bytes - total.last, 0.0) / total.per_second


def _manner(total: Slope, tail: float) -> str:
    """Return in words how the floors rose."""
    above = (1 + total.rising) / 2
    return f"{above:.0%} of later floors lie above earlier ones, and the last third grew at {tail:.0%} of that rate"


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"
