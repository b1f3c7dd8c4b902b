"""Robust trends of lows: slope, noise, steadiness and straightness.

The slope is the Theil-Sen estimate: the median of the slopes between all pairs (Sen, 1968), which tolerates 29% of
outliers. The noise is 1.4826 x the median absolute residual, which is sigma for Gaussian noise.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

SIGMA_OF_MEDIAN_RESIDUAL = 1.4826
MIN_LOWS = 6

Series = Sequence[tuple[float, float]]


class Trend(NamedTuple):
    """The trend of some lows, in their unit, with time counted in buckets.

    ``gained`` is the slope times the length; ``noise`` is a standard deviation; ``tau`` is Kendall's tau;
    ``head_ratio`` and ``tail_ratio`` are the slopes of the first and of the last third to that of the whole;
    ``bend`` is the gain of the second half minus that of the first, as a share of the whole, by medians;
    ``jump_share`` is the share of the three largest rises from low to low in all rises, near 1 for a few steps;
    ``drop`` is the largest fall below an earlier low; ``first`` is where the line begins; ``recent_low`` is the lowest
    of the last quarter.
    """

    slope: float
    gained: float
    noise: float
    tau: float
    head_ratio: float
    tail_ratio: float
    bend: float
    jump_share: float
    drop: float
    first: float
    recent_low: float
    last: float


def fit_trend(lows: Series) -> Trend | None:
    """Return the trend of lows (bucket, bytes), oldest first, or ``None`` if there are fewer than :data:`MIN_LOWS`."""
    if len(lows) < MIN_LOWS:
        return None
    sizes = [size for _, size in lows]
    slope, tau = _slope_and_tau(lows)
    residuals = [size - slope * at for at, size in lows]
    middle = median(residuals)
    noise = SIGMA_OF_MEDIAN_RESIDUAL * median(abs(residual - middle) for residual in residuals)
    gained = slope * (lows[-1][0] - lows[0][0])
    third = max(len(sizes) // 3, 3)
    return Trend(
        slope=slope,
        gained=gained,
        noise=noise,
        tau=tau,
        head_ratio=theil_sen(lows[:third]) / slope if slope else 0.0,
        tail_ratio=theil_sen(lows[-third:]) / slope if slope else 0.0,
        bend=_bend(sizes, abs(gained) or 1.0),
        jump_share=_jump_share(sizes),
        drop=_drop(sizes),
        first=middle + slope * lows[0][0],
        recent_low=min(sizes[-max(len(sizes) // 4, 1) :]),
        last=sizes[-1],
    )


def bucket_minima(series: Series, since: float, until: float, buckets: int = 12) -> list[tuple[float, float]]:
    """Return (time, minimum) of each bucket of a trend in ``[since, until]``; the time is the minimum's own."""
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
    return median(slopes) if slopes else 0.0


def median(values: Iterable[float]) -> float:
    """Return the median of numbers, at least one; :mod:`statistics` would cost half a MiB of memory."""
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def _slope_and_tau(points: Series) -> tuple[float, float]:
    """Return the Theil-Sen slope and Kendall's tau of a trend: median and balance of the slopes of all pairs."""
    slopes = sorted([(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2)])
    count = len(slopes)
    slope = (slopes[count // 2] + slopes[(count - 1) // 2]) / 2
    ups, downs = count - bisect_right(slopes, 0.0), bisect_left(slopes, 0.0)
    return slope, (ups - downs) / count


def _jump_share(sizes: Sequence[float]) -> float:
    rises = sorted((later - earlier for earlier, later in pairwise(sizes) if later > earlier), reverse=True)
    return sum(rises[:3]) / sum(rises) if rises else 0.0


def _bend(sizes: Sequence[float], scale: float) -> float:
    third = len(sizes) // 3
    first, middle, last = sizes[:third], sizes[third : len(sizes) - third], sizes[len(sizes) - third :]
    return (median(last) - 2 * median(middle) + median(first)) / scale


def _drop(sizes: Sequence[float]) -> float:
    highest, drop = sizes[0], 0.0
    for size in sizes:
        highest = max(highest, size)
        drop = max(drop, highest - size)
    return drop
