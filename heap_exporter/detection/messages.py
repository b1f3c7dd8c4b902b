"""The verdict's reasons in plain words, with the figures that led to it."""

from __future__ import annotations

from collections.abc import Sequence

from heap_exporter.detection.confirmation import windows_needed
from heap_exporter.detection.windows import Growth
from heap_exporter.model import MemoryKind, MemoryTrend, State, Verdict
from heap_exporter.runtime import formatting

KINDS = {
    MemoryKind.PYTHON: "the Python heap",
    MemoryKind.NATIVE: "what malloc has given out",
    MemoryKind.FRAGMENTATION: "what malloc keeps free",
}


def rate(bytes_a_second: float) -> str:
    """Return a slope in bytes a second and in MB an hour."""
    return f"{bytes_a_second:,.0f} bytes/s ({bytes_a_second * 3600 / 1e6:,.1f} MB/h)"


def warming_up(seen_seconds: float, window_seconds: float) -> str:
    """Return why nothing is judged yet."""
    return f"{seen_seconds:.0f} s of the {window_seconds:.0f} s window have been seen"


def grown(growth: Growth, window_seconds: float) -> str:
    """Return what grew, over which time, and how fast."""
    return (
        f"grew by {formatting.size(growth.trend.gained)} in {formatting.duration(growth.seconds)}, {rate(growth.slope)}"
        f" (window {formatting.duration(window_seconds)})"
    )


def calm(growth: Growth, min_bytes: float) -> str:
    """Return why nothing is said to grow."""
    gained = f"{formatting.gain(growth.trend.gained)} in {formatting.duration(growth.seconds)}"
    if growth.trend.gained < min_bytes:
        return f"{gained}, less than the {formatting.size(min_bytes)} that would matter"
    return f"{gained}, but not steadily: {manner(growth)}"


def manner(growth: Growth) -> str:
    """Return how the floors rose."""
    line = growth.trend
    above = f"{(1 + line.rising) / 2:.0%} of later floors lie above earlier ones"
    return f"{above}, by {line.gained / line.noise:.1f} times their noise" if line.noise else above


def tail(growth: Growth) -> str:
    """Return whether it goes on."""
    return f"the last third grew at {growth.trend.tail:.0%} of that rate"


def parts(trends: Sequence[MemoryTrend]) -> list[str]:
    """Return what of it each kind of memory grew."""
    return [
        f"{KINDS[trend.kind]} grew at {rate(trend.slope_bytes_per_second)}" for trend in trends if trend.kind in KINDS
    ]


def outlook(verdict: Verdict, growth: Growth) -> str:
    """Return how sure it is, and what would make it surer."""
    sure = f"confidence {verdict.confidence:.0%}"
    if verdict.state is not State.SUSPECTED:
        return sure
    needed = formatting.duration(windows_needed(growth) * verdict.window_seconds)
    return f"{sure}: by its shape alone such growth is a leak once it has gone on straight for {needed}"


def limit(limit_bytes: int, seconds: float) -> str:
    """Return when the limit is reached."""
    return f"at this rate the limit of {formatting.size(limit_bytes)} is reached in {formatting.duration(seconds)}"
