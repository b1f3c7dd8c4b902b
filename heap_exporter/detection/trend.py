"""Robust trends: the slope of the floors of a series, not of its teeth.

A heap under load is a sawtooth whose teeth say nothing and whose floors say everything. The series is cut into
buckets of equal time, each bucket stands for its minimum, and the slope is Theil-Sen's: the median of the slopes
between all pairs (Sen, 1968), which a third of outliers cannot turn.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

BUCKETS = 12
LEAST_BUCKETS = 6
TAIL_BUCKETS = 4
LONGEST_GAP_INTERVALS = 3

Series = Sequence[tuple[float, float]]


class Slope(NamedTuple):
    """What a window of a series does; ``tail`` is its last third, ``rising`` is Kendall's tau of the floors."""

    per_second: float
    tail_per_second: float
    rising: float
    first_floor: float
    last: float
    new_high: bool


def floors(series: Series, since: float, until: float, buckets: int = BUCKETS) -> list[tuple[float, float]]:
    """Return (time, minimum) of each bucket of ``[since, until]`` that has a point; the time is the minimum's own."""
    width = (until - since) / buckets or 1.0
    lowest: dict[int, tuple[float, float]] = {}
    for at, value in series:
        bucket = min(int((at - since) / width), buckets - 1)
        if bucket not in lowest or value < lowest[bucket][1]:
            lowest[bucket] = (at, value)
    return [lowest[bucket] for bucket in sorted(lowest)]


def slope(series: Series, since: float, until: float) -> Slope | None:
    """Return the trend of a series over ``[since, until]``, or ``None`` when too little of it is known."""
    found = floors(series, since, until)
    if len(found) < LEAST_BUCKETS:
        return None
    values = [value for _, value in found]
    third = max(len(values) // 3, 1)
    return Slope(
        per_second=theil_sen(found),
        tail_per_second=theil_sen(found[-TAIL_BUCKETS:]),
        rising=kendall_tau(values),
        first_floor=min(values[:third]),
        last=series[-1][1],
        new_high=min(values[-third:]) > max(values[:third]),
    )


def theil_sen(points: Series) -> float:
    """Return the median slope over all pairs of points; 0 for fewer than two."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 > x1]
    return statistics.median(slopes) if slopes else 0.0


def kendall_tau(values: Sequence[float]) -> float:
    """Return Kendall's tau of the values against their order: 1 always rises, 0 has no trend, -1 always falls."""
    pairs = list(combinations(values, 2))
    signs = sum((later > earlier) - (later < earlier) for earlier, later in pairs)
    return signs / len(pairs) if pairs else 0.0


def seen_seconds(series: Series) -> float:
    """Return the time that the points speak for: each for a usual interval, none for a time when nobody looked."""
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(series)]
    if not gaps:
        return 0.0
    usual = statistics.median(gaps)
    return usual + sum(min(gap, LONGEST_GAP_INTERVALS * usual) for gap in gaps)
