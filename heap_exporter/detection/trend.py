"""Robust trends of floors: slope, noise, steadiness and straightness, all from the floors alone.

The slope is Theil-Sen's: the median of the slopes between all pairs (Sen, 1968), which a third of outliers cannot turn.
The noise is what is left beside that line (1.4826 x the median absolute residual, which is sigma for Gaussian noise).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

SIGMA_OF_MEDIAN_RESIDUAL = 1.4826
MIN_FLOORS = 6

Series = Sequence[tuple[float, float]]


class Trend(NamedTuple):
    """What some floors do, with time counted in buckets.

    ``gained`` is the slope over all of their length; ``noise`` is a standard deviation; ``rising`` is Kendall's tau;
    ``quarters`` are the gains from the median of each quarter of the floors to the next, as shares of an even gain;
    ``head`` and ``tail`` are the slopes of the first and the last third to that of the whole; ``jumps`` is
    what the three largest rises between neighbours make of all rises: near 1 for a few steps.
    """

    slope: float
    gained: float
    noise: float
    rising: float
    head: float
    tail: float
    jumps: float
    quarters: tuple[float, float, float]
    first: float
    low: float
    last: float


def trend(floors: Series) -> Trend | None:
    """Return the trend of floors (bucket, bytes), oldest first, or ``None`` if there are too few."""
    if len(floors) < MIN_FLOORS:
        return None
    sizes = [size for _, size in floors]
    slope, rising = _slope_and_tau(floors)
    beside = [size - slope * at for at, size in floors]
    middle = _median(beside)
    noise = SIGMA_OF_MEDIAN_RESIDUAL * _median([abs(size - middle) for size in beside])
    gained = slope * (floors[-1][0] - floors[0][0])
    third = max(len(sizes) // 3, 3)
    scale = abs(gained) or 1.0
    return Trend(
        slope=slope,
        gained=gained,
        noise=noise,
        rising=rising,
        head=theil_sen(floors[:third]) / slope if slope else 0.0,
        tail=theil_sen(floors[-third:]) / slope if slope else 0.0,
        jumps=_jumps(sizes),
        quarters=_quarters(sizes, scale),
        first=middle + slope * floors[0][0],
        low=min(sizes[-max(len(sizes) // 4, 1) :]),
        last=sizes[-1],
    )


def floors(series: Series, since: float, until: float, buckets: int = 12) -> list[tuple[float, float]]:
    """Return (time, minimum) of each bucket of ``[since, until]`` that has a point; the time is the minimum's own."""
    width = (until - since) / buckets or 1.0
    lowest: dict[int, tuple[float, float]] = {}
    for at, value in series:
        bucket = min(int((at - since) / width), buckets - 1)
        if bucket not in lowest or value < lowest[bucket][1]:
            lowest[bucket] = (at, value)
    return [lowest[bucket] for bucket in sorted(lowest)]


def theil_sen(points: Series) -> float:
    """Return the median slope over all pairs of points; 0 for fewer than two."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 > x1]
    return _median(slopes) if slopes else 0.0


def _median(values: list[float]) -> float:
    """Return the median; a third of the time of ``statistics.median``, which does more."""
    values.sort()
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def kendall_tau(values: Sequence[float]) -> float:
    """Return Kendall's tau of the values against their order: 1 always rises, 0 has no trend, -1 always falls."""
    pairs = list(combinations(values, 2))
    signs = sum((later > earlier) - (later < earlier) for earlier, later in pairs)
    return signs / len(pairs) if pairs else 0.0


def _slope_and_tau(points: Series) -> tuple[float, float]:
    """Return Theil-Sen's slope and Kendall's tau, which are the median and the balance of the same pairs."""
    slopes = sorted([(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2)])
    count = len(slopes)
    slope = (slopes[count // 2] + slopes[(count - 1) // 2]) / 2
    ups, downs = count - bisect_right(slopes, 0.0), bisect_left(slopes, 0.0)
    return slope, (ups - downs) / count


def _jumps(sizes: Sequence[float]) -> float:
    rises = sorted((later - earlier for earlier, later in pairwise(sizes) if later > earlier), reverse=True)
    return sum(rises[:3]) / sum(rises) if rises else 0.0


def _quarters(sizes: Sequence[float], scale: float) -> tuple[float, float, float]:
    count = len(sizes)
    first, second, third, fourth = (
        _median(list(sizes[part * count // 4 : (part + 1) * count // 4])) for part in range(4)
    )
    even = scale / 4
    return (second - first) / even, (third - second) / even, (fourth - third) / even
