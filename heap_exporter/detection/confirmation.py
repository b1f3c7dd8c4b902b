"""When growth is confirmed by its shape alone: long, straight, to new heights.

A cache that fills for hours and the first morning of a day's load look just like a leak, until they level off. So the
smaller the growth is against what was there before, the longer it must have gone on, and the straighter it must be.
"""

from __future__ import annotations

from typing import NamedTuple

from heap_exporter.detection.windows import Growth

USUAL_CACHE_BYTES = 256 * 1024 * 1024
"""Growth of this size is nothing unusual, however small the process was before."""

MIN_WINDOWS = 4.0

WINDOWS_TO_DOUBLE = 11.0
"""For so many windows a growth must have gone on that doubles the process; for fewer if it grows to a multiple."""

LARGE_TIMES, HUGE_TIMES = 1.0, 1.5
"""A day's load may double a process, but not so straight, and does not make it larger yet in hours."""

MULTIPLE, WINDOWS_TO_MULTIPLY = 3.0, 2.5
"""A growth to so many times more than there was needs no longer: what fills within two windows has bent by then."""

MIN_BYTES_PER_HOUR = 0.9 * 1024 * 1024
"""What is slower takes weeks to matter: so a heap settles after its start, ever more slowly."""

MIN_TAIL_TO_HEAD = 0.5
"""What has lost half of its speed from its first third to its last one is about to level off."""


class Proof(NamedTuple):
    """What makes a growth a leak: how long it must have gone on, and how straight.

    ``min_end`` is what the slopes of the first and last third must have of that of the whole, ``min_quarter`` and
    ``max_quarter`` bound the gains from quarter to quarter, ``noises`` is the gain in standard deviations of noise,
    ``rising`` is Kendall's tau, ``jumps`` bounds the share of the three largest rises, and ``new`` is the share of the
    gain that must lie above all heights before.
    """

    windows: float
    min_end: float
    min_quarter: float
    max_quarter: float
    noises: float
    rising: float
    jumps: float
    new: float


HUGE = Proof(MIN_WINDOWS, 0.75, 0.6, 1.6, 8.0, 0.8, 0.5, 0.3)
"""Of a growth to a multiple: no day's load does that, only a cache does, and it ends sooner."""

FIVE_HOURS = Proof(20.0, 0.95, 0.96, 1.2, 50.0, 0.93, 0.3, 0.3)
"""No part of it is slower: five hours of a day's sine have a quarter that is 5 % below their mean, wherever they are
taken, and a cache slows down as it fills. What only gains speed is neither."""

THIRD_OF_A_DAY = Proof(32.0, 0.85, 0.8, 1.25, 40.0, 0.9, 0.35, 0.3)
"""Rather straight for longer than caches take to fill: the rise of a day's load is bent at one of its ends."""

HALF_A_DAY = Proof(48.0, 0.85, 0.8, 1.25, 20.0, 0.85, 0.4, 0.3)
"""The rise of a day's load has ended by now."""

MAX_OF_A_DAY = Proof(64.0, 0.5, 0.5, 2.0, 6.0, 0.75, 0.4, 0.5)
"""A day's load would have fallen in between."""

WHOLE_DAY = Proof(96.0, -1.0, 0.3, 2.0, 2.5, 0.5, 0.6, 0.5)
"""A day's load would be where it was the day before."""


def times_grown(growth: Growth) -> float:
    """Return the gain as a multiple of what was there before."""
    return growth.trend.gained / max(growth.trend.first, USUAL_CACHE_BYTES)


def proofs(growth: Growth) -> tuple[Proof, ...]:
    """Return the proofs of which one is asked for."""
    times = times_grown(growth)
    usual = (FIVE_HOURS, THIRD_OF_A_DAY, HALF_A_DAY, MAX_OF_A_DAY, WHOLE_DAY)
    if times < LARGE_TIMES:
        return usual
    proof = HUGE if times >= HUGE_TIMES else THIRD_OF_A_DAY
    windows = WINDOWS_TO_MULTIPLY if times >= MULTIPLE else max(WINDOWS_TO_DOUBLE / times, MIN_WINDOWS)
    return (proof._replace(windows=windows), *usual)


def windows_needed(growth: Growth) -> float:
    """Return for how many windows such a growth must have gone on at least."""
    return proofs(growth)[0].windows


def is_straight(growth: Growth, proof: Proof) -> bool:
    """Return whether the floors lie on a line, from the first to the last."""
    line = growth.trend
    return (
        line.gained >= proof.noises * line.noise
        and line.rising >= proof.rising
        and min(line.head, line.tail) >= proof.min_end
        and line.tail >= MIN_TAIL_TO_HEAD * line.head
        and line.jumps <= proof.jumps
        and min(line.quarters) >= proof.min_quarter
        and max(line.quarters) <= proof.max_quarter
        and growth.risen >= proof.new * line.gained
    )


def is_confirmed(growth: Growth, min_bytes: float) -> bool:
    """Return whether the growth is one that no cache and no load explains."""
    return (
        growth.trend.gained >= min_bytes
        and growth.slope * 3600 >= MIN_BYTES_PER_HOUR
        and any(growth.length.windows >= proof.windows and is_straight(growth, proof) for proof in proofs(growth))
    )
