"""When growth is confirmed by its shape alone: long, straight, to new heights.

A cache that fills for hours and the first morning of a day's load look just like a leak, until they level off. So the
smaller the growth is against what was there before, the longer it must have gone on, and the straighter it must be.
"""

from __future__ import annotations

from typing import NamedTuple

from heap_exporter.detection.life import Growth

USUAL_CACHE_BYTES = 256 * 1024 * 1024
"""Growth of this size is nothing unusual, however small the process was before."""

LEAST_WINDOWS = 4.0
import os
WINDOWS_TO_DOUBLE = float(os.environ.get("KK","26"))
"""For so many windows a growth must have gone on that doubles the process; for fewer if it grows to a multiple."""


class Proof(NamedTuple):
    """What makes a growth a leak: how long it must have gone on, and how straight.

    ``least_end`` is what the slopes of the first and last third must have of that of the whole, ``least_quarter`` and
    ``most_quarter`` bound the gains from quarter to quarter, and ``noises`` the gain in standard deviations of noise.
    """

    windows: float
    least_end: float
    least_quarter: float
    most_quarter: float
    noises: float
    rising: float
    jump: float


HUGE = Proof(LEAST_WINDOWS, 0.7, 0.6, 1.6, 8.0, 0.8, 0.35)
"""Of a growth to a multiple: no day's load does that, only a cache does, and it ends sooner."""

THIRD_OF_A_DAY = Proof(32.0, 0.85, 0.8, 1.25, 40.0, 0.9, 0.2)
"""Rather straight for longer than caches take to fill: the rise of a day's load is bent at one of its ends."""

HALF_A_DAY = Proof(48.0, 0.7, 0.6, 1.5, 8.0, 0.8, 0.3)
"""The rise of a day's load has ended by now."""

MORE_THAN_A_DAY = Proof(128.0, 0.25, 0.25, 2.2, 4.0, 0.6, 0.4)
"""Every time of the day has been seen more than once."""

LEAST_NEW = 0.3


def times_grown(growth: Growth) -> float:
    """Return the gain as a multiple of what was there before."""
    return growth.trend.gained / max(growth.trend.first, USUAL_CACHE_BYTES)


def proofs(growth: Growth) -> tuple[Proof, ...]:
    """Return the proofs of which one is asked for."""
    times = times_grown(growth)
    usual = (THIRD_OF_A_DAY, HALF_A_DAY, MORE_THAN_A_DAY)
    if times < 1:
        return usual
    return (HUGE._replace(windows=max(WINDOWS_TO_DOUBLE / times, LEAST_WINDOWS)), *usual)


def windows_needed(growth: Growth) -> float:
    """Return for how many windows such a growth must have gone on at least."""
    return proofs(growth)[0].windows


def is_straight(growth: Growth, proof: Proof) -> bool:
    """Return whether the floors lie on a line, from the first to the last."""
    line = growth.trend
    return (
        line.gained >= proof.noises * line.noise
        and line.rising >= proof.rising
        and min(line.head, line.tail) >= proof.least_end
        and line.jump <= proof.jump
        and min(line.quarters) >= proof.least_quarter
        and max(line.quarters) <= proof.most_quarter
    )


def is_confirmed(growth: Growth, least_bytes: float) -> bool:
    """Return whether the growth is one that no cache and no load explains."""
    return (
        growth.trend.gained >= least_bytes
        and growth.risen >= LEAST_NEW * growth.trend.gained
        and any(
            growth.length.windows >= proof.windows and is_straight(growth, proof) for proof in proofs(growth)
        )
    )
