"""The reasons for a verdict, as typed values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from heap_exporter.detection.features import NAMES
from heap_exporter.detection.restarts import RunSummary
from heap_exporter.detection.windows import Growth
from heap_exporter.model import Reason, ReasonKind, Verdict

MAX_REASONS = 5
"""Sentences about a verdict: its reasons, and its finding."""

MAX_OF_MODEL = 2
"""Those of them that state which features moved the probability most, besides the growth itself."""

KINDS = {
    "noises": ReasonKind.LOWS_RISE,
    "tau": ReasonKind.LOWS_RISE,
    "drop": ReasonKind.LOWS_RISE,
    "head": ReasonKind.LAST_THIRD,
    "tail": ReasonKind.LAST_THIRD,
    "bend": ReasonKind.LAST_THIRD,
    "new": ReasonKind.NEW_HEIGHT,
    "earlier": ReasonKind.EARLIER_RUNS,
}
"""The reason for which a feature stands, by the first word of its name; the other features are in GREW."""

KIND_OF_FEATURE = tuple(KINDS.get(name.partition("_")[0]) for name in NAMES)


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


def of_contributions(contributions: Sequence[float], growth: Growth, earlier: RunSummary) -> list[Reason]:
    """Return the reasons for a leak whose features moved the detector's probability most, the strongest first.

    ``contributions`` are those of the features, in their order.
    """
    moved: dict[ReasonKind, float] = {}
    for kind, contribution in zip(KIND_OF_FEATURE, contributions, strict=True):
        if kind is not None:
            moved[kind] = moved.get(kind, 0.0) + contribution
    strongest = sorted((kind for kind, by in moved.items() if by > 0), key=lambda kind: -moved[kind])
    found = [_reason(kind, growth, earlier) for kind in strongest]
    return [reason for reason in found if reason is not None][:MAX_OF_MODEL]


def limited(verdict: Verdict, reasons: Sequence[Reason], room: int = 0) -> tuple[Reason, ...]:
    """Return the first of the reasons that fit into a verdict; ``room`` is how many more are to fit."""
    return tuple(reasons[: MAX_REASONS - (verdict.finding is not None) - room])


def with_reason(verdict: Verdict, reason: Reason) -> Verdict:
    """Return the verdict with one more reason, in place of its last ones if it has as many as it may have."""
    return replace(verdict, reasons=(*limited(verdict, verdict.reasons, room=1), reason))


def time_to_limit(limit_bytes: int, seconds: float) -> Reason:
    """Return the detector's reason that states when the growth reaches the memory limit."""
    return Reason(ReasonKind.TIME_TO_LIMIT, {"limit_bytes": limit_bytes, "seconds": seconds})


def _reason(kind: ReasonKind, growth: Growth, earlier: RunSummary) -> Reason | None:
    if kind is ReasonKind.LOWS_RISE:
        return lows_rise(growth)
    if kind is ReasonKind.LAST_THIRD:
        return Reason(kind, {"slope_ratio": growth.trend.tail_ratio})
    if kind is ReasonKind.NEW_HEIGHT and 0 < growth.above_highest < float("inf"):
        return Reason(kind, {"above_bytes": growth.above_highest})
    if kind is ReasonKind.EARLIER_RUNS and earlier.judged:
        return Reason(kind, {"runs": earlier.judged, "slope_bytes_per_second": earlier.slope})
    return None


def _gain(growth: Growth) -> dict[str, object]:
    return {"gained_bytes": growth.trend.gained, "seconds": growth.seconds}
