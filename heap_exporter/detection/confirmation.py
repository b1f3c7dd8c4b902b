"""Which growth is confirmed as a leak by its shape alone: long, straight, to new heights.

A cache that fills for hours and the first morning of a day's load look like a leak until they level off. So the
smaller a growth is, compared with the memory before it, the longer it must have lasted and the straighter it must be.
"""

from __future__ import annotations

from typing import NamedTuple

from heap_exporter.detection.windows import Growth

USUAL_CACHE_BYTES = 256 * 1024 * 1024
"""Growth of this size is usual, however small the process was before."""

MIN_WINDOWS = 4.0

WINDOWS_TO_DOUBLE = 11.0
"""Windows that a growth must have lasted which doubles the process; fewer if it grows to a multiple."""

LARGE_TIMES, HUGE_TIMES = 1.0, 1.5
"""A day's load can double a process, but not so straight, and does not grow it further within hours."""

MULTIPLE, WINDOWS_TO_MULTIPLY = 3.0, 2.5
"""A growth to this multiple need not last longer: a cache that fills within two windows has bent by then."""

MIN_BYTES_PER_HOUR = 0.9 * 1024 * 1024
"""Slower growth takes weeks to matter; a heap that settles after its start grows like this, more and more slowly."""

MIN_TAIL_TO_HEAD = 0.5
"""A growth whose last third has lost half of the speed of its first third is about to level off."""


class LeakShape(NamedTuple):
    """The shape that makes a growth a leak: how long it must have lasted, and how straight it must be.

    ``min_end`` is the smallest slope of the first and the last third, compared with the whole; ``min_quarter`` and
    ``max_quarter`` bound the gains from quarter to quarter; ``noises`` is the gain in standard deviations of the noise;
    ``tau`` is Kendall's tau; ``jump_share`` bounds the share of the three largest rises; ``new`` is the share of the
    gain that must be above all heights before.
    """

    windows: float
    min_end: float
    min_quarter: float
    max_quarter: float
    noises: float
    tau: float
    jump_share: float
    new: float


HUGE = LeakShape(MIN_WINDOWS, 0.75, 0.6, 1.6, 8.0, 0.8, 0.5, 0.3)
"""A growth to a multiple: no day's load grows like this, only a cache does, and it ends sooner."""

FIVE_HOURS = LeakShape(20.0, 0.95, 0.96, 1.2, 50.0, 0.93, 0.3, 0.3)
"""No part is slower: any five hours of a day's sine have a quarter 5 % below their mean, and a cache slows down as it
fills. Neither of them only gains speed."""

THIRD_OF_A_DAY = LeakShape(32.0, 0.85, 0.8, 1.25, 40.0, 0.9, 0.35, 0.3)
"""Rather straight, for longer than caches take to fill: the rise of a day's load is bent at one of its ends."""

HALF_A_DAY = LeakShape(48.0, 0.85, 0.8, 1.25, 20.0, 0.85, 0.4, 0.3)
"""The rise of a day's load has ended by now."""

TWO_THIRDS_OF_A_DAY = LeakShape(64.0, 0.5, 0.5, 2.0, 6.0, 0.75, 0.4, 0.5)
"""A day's load would have fallen in between."""

WHOLE_DAY = LeakShape(96.0, -1.0, 0.3, 2.0, 2.5, 0.5, 0.6, 0.5)
"""A day's load would be where it was the day before."""


def times_grown(growth: Growth) -> float:
    """Return the growth as a multiple of the memory before, for the judgement of its shape."""
    return growth.trend.gained / max(growth.trend.first, USUAL_CACHE_BYTES)


def leak_shapes(growth: Growth) -> tuple[LeakShape, ...]:
    """Return the shapes of which a growth of this size must have one to be a leak, the shortest first."""
    times = times_grown(growth)
    usual = (FIVE_HOURS, THIRD_OF_A_DAY, HALF_A_DAY, TWO_THIRDS_OF_A_DAY, WHOLE_DAY)
    if times < LARGE_TIMES:
        return usual
    shape = HUGE if times >= HUGE_TIMES else THIRD_OF_A_DAY
    windows = WINDOWS_TO_MULTIPLY if times >= MULTIPLE else max(WINDOWS_TO_DOUBLE / times, MIN_WINDOWS)
    return (shape._replace(windows=windows), *usual)


def windows_needed(growth: Growth) -> float:
    """Return how many windows a growth of this size must last at least before it is confirmed as a leak."""
    return leak_shapes(growth)[0].windows


def is_straight(growth: Growth, shape: LeakShape) -> bool:
    """Return whether the lows lie on a line, from the first to the last, as straight as ``shape`` requires."""
    line = growth.trend
    return (
        line.gained >= shape.noises * line.noise
        and line.tau >= shape.tau
        and min(line.head_ratio, line.tail_ratio) >= shape.min_end
        and line.tail_ratio >= MIN_TAIL_TO_HEAD * line.head_ratio
        and line.jump_share <= shape.jump_share
        and min(line.quarters) >= shape.min_quarter
        and max(line.quarters) <= shape.max_quarter
        and growth.above_highest >= shape.new * line.gained
    )


def is_confirmed(growth: Growth, min_bytes: float) -> bool:
    """Return whether the growth has a shape that no cache and no load has."""
    return (
        growth.trend.gained >= min_bytes
        and growth.slope * 3600 >= MIN_BYTES_PER_HOUR
        and any(growth.length.windows >= shape.windows and is_straight(growth, shape) for shape in leak_shapes(growth))
    )
