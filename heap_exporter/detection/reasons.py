"""The reasons for a verdict, as typed values."""

from __future__ import annotations

from collections.abc import Sequence

from heap_exporter.detection.confirmation import windows_needed
from heap_exporter.detection.windows import Growth
from heap_exporter.model import MemoryKind, MemoryTrend, Reason, ReasonKind, State, Verdict


def warming_up(seen_seconds: float, window_seconds: float) -> Reason:
    """Return the detector's reason while it warms up: how much of the first window has been seen."""
    return Reason(ReasonKind.WARMING_UP, {"seen_seconds": seen_seconds, "needed_seconds": window_seconds})


def grew(growth: Growth) -> Reason:
    """Return the detector's reason that states how much memory grew, in which time, and how fast."""
    return Reason(ReasonKind.GREW, {**_gain(growth), "slope_bytes_per_second": growth.slope})


def steady(growth: Growth, min_bytes: float) -> tuple[Reason, ...]:
    """Return the detector's reasons for a steady state: the growth is too small, or not steady."""
    if growth.trend.gained < min_bytes:
        return (Reason(ReasonKind.GREW_TOO_LITTLE, {**_gain(growth), "min_bytes": min_bytes}),)
    return Reason(ReasonKind.GREW_UNSTEADILY, _gain(growth)), lows_rise(growth)


def lows_rise(growth: Growth) -> Reason:
    """Return the detector's reason that states which share of the lows rose, and how far above their noise."""
    line = growth.trend
    noise_ratio = line.gained / line.noise if line.noise else None
    return Reason(ReasonKind.LOWS_RISE, {"share": (1 + line.tau) / 2, "noise_ratio": noise_ratio})


def last_third(growth: Growth) -> Reason:
    """Return the detector's reason that states how fast the last third of the growth was."""
    return Reason(ReasonKind.LAST_THIRD, {"slope_ratio": growth.trend.tail_ratio})


def memory_slopes(trends: Sequence[MemoryTrend]) -> list[Reason]:
    """Return the detector's reason that states the slope of each kind of memory but the total."""
    return [
        Reason(
            ReasonKind.MEMORY_SLOPE,
            {"memory": trend.kind.value, "slope_bytes_per_second": trend.slope_bytes_per_second},
        )
        for trend in trends
        if trend.kind is not MemoryKind.TOTAL
    ]


def outlook(verdict: Verdict, growth: Growth) -> list[Reason]:
    """Return the detector's reasons that state its confidence and how long suspected growth must last."""
    confidence = Reason(ReasonKind.CONFIDENCE, {"confidence": verdict.confidence})
    if verdict.state is not State.SUSPECTED:
        return [confidence]
    needed_seconds = windows_needed(growth) * verdict.window_seconds
    return [confidence, Reason(ReasonKind.TIME_TO_CONFIRM, {"needed_seconds": needed_seconds})]


def time_to_limit(limit_bytes: int, seconds: float) -> Reason:
    """Return the detector's reason that states when the growth reaches the memory limit."""
    return Reason(ReasonKind.TIME_TO_LIMIT, {"limit_bytes": limit_bytes, "seconds": seconds})


def _gain(growth: Growth) -> dict[str, object]:
    return {"gained_bytes": growth.trend.gained, "seconds": growth.seconds}
