"""Memory that grows, and stops: caches, pools, sessions, warm-up. Each function draws one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from training.corpus.backgrounds import any_pool, python_parts
from training.corpus.demand import Demand, Pool
from training.corpus.draw import Draw
from training.corpus.series import Array
from training.corpus.shapes import add_job, distinct_keys, sums, uneven, with_tables
from training.corpus.timeline import Timeline, wander

Fill = Callable[[Draw, Timeline, float], Sequence[Demand]]


def _filled(draw: Draw, curve: Array) -> Sequence[Demand]:
    found = any_pool(draw, curve)
    if draw.chance(0.25):
        found.append(Demand(Pool.LARGE, 0.3 * with_tables(draw, curve), 1e6, 0.0))
    return found


def _work(draw: Draw, timeline: Timeline) -> Array:
    """Return what fills a cache: time, or the load since the process started, or since the cache was first used."""
    work = timeline.work_of_life if draw.chance(0.6) else timeline.age
    begin = 0.0 if draw.chance(0.75) else draw.between(0, 0.5) * float(work.max())
    return np.maximum(work - begin, 0)


def full_at_once(low: float, high: float) -> Fill:
    """Return caches of new keys that fill up in a straight line until their limit, in so many seconds of work."""

    def fill(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
        work = _work(draw, timeline)
        # Some are not full when the series ends.
        longest = min(high, timeline.length * (1.3 if draw.chance(0.15) else 0.8))
        curve = work / draw.log(min(low, longest / 2), longest)
        if draw.chance(0.6):
            curve = uneven(draw, timeline, curve)
        if draw.chance(0.2):  # connections or buffers, one after another
            pieces = draw.whole(4, 60)
            curve = np.floor(curve * pieces) / pieces
        curve = size * np.minimum(curve, 1)
        if draw.chance(0.4):  # full by the number of entries: their sizes differ
            curve = curve * (1 + draw.log(0.001, 0.05) * wander(timeline.step, 3600, len(timeline), draw.rng))
        if draw.chance(0.12):  # emptied by hand, and filled again
            emptied = timeline.seconds > timeline.length * draw.between(0.3, 0.9)
            curve = np.where(emptied, np.minimum(curve, size * np.cumsum(emptied) / (0.2 * len(timeline))), curve)
        return _filled(draw, np.maximum(curve, 0))

    return fill


def popular_keys(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """A cache without a limit of keys whose popularity differs: it fills ever more slowly, for days if need be."""
    keys, rate = int(draw.log(300, 300_000)), draw.log(0.05, 200)
    curve = distinct_keys(_work(draw, timeline) * rate, keys, draw.between(0.3, 1.5))
    if draw.chance(0.3):  # an LRU cache in front of them
        curve = np.minimum(curve, draw.between(0.2, 0.9))
    return _filled(draw, size * curve)


def expiring(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Entries that live for a fixed time: a straight line for as long, then the load decides."""
    lives = min(draw.log(60, 43_200), timeline.length * 0.7)
    work = timeline.work_of_life
    since = np.interp(timeline.seconds - lives, timeline.seconds, timeline.work, left=0.0)
    older = np.maximum(since - (timeline.work - work), 0)
    curve = size * (work - older) / lives
    if draw.chance(0.3):  # expired entries are removed by a job, now and then
        every = draw.log(30, 1800)
        swept = np.floor(timeline.seconds / every) * every
        curve = curve + size * 0.5 * (timeline.work - np.interp(swept, timeline.seconds, timeline.work)) / lives
    return _filled(draw, curve)


def pool(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Connections or buffers that are opened when all others are busy, and kept: steps to ever rarer maxima."""
    count = draw.whole(3, 200)
    busy = timeline.load * draw.spread(draw.between(0.2, 0.8), len(timeline))
    busy = np.where(timeline.is_first, 0, busy)
    apart = timeline.life * (float(busy.max()) + 1)
    opened = np.maximum.accumulate(busy + apart) - apart
    opened = np.ceil(count * opened / max(float(opened.max()), 1e-9))
    each = size / count
    found = [Demand(Pool.NATIVE, 0.8 * each * opened), *python_parts(draw, 0.2 * each * opened)]
    if draw.chance(0.3):
        found[0].threads = opened
    return found


def warm_up(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Imports at the first requests, compiled code, tables: most of it early, in pieces of all sizes."""
    count = draw.whole(5, 300)
    times = np.sort(draw.log(20, 7200) * draw.rng.weibull(draw.between(0.4, 1.5), count))
    sizes = draw.spread(draw.between(0.3, 1.8), count)
    pieces = sums(timeline.age, times, size * sizes / sizes.sum())
    smooth = size * (1 - np.exp(-timeline.age / draw.log(20, 7200)))
    share = draw.between(0, 1)
    return any_pool(draw, share * pieces + (1 - share) * smooth)


def backlog(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """A queue that grows while a consumer is slow, for minutes or hours, and is worked off."""
    curve = np.zeros(len(timeline))
    for begin in timeline.length * draw.rng.random(draw.whole(1, 5)):
        lasts = min(draw.log(300, 21_600), 0.7 * timeline.length)
        ramp, height = draw.between(0.4, 0.95), size * draw.between(0.3, 1)
        top = begin + lasts * ramp
        add_job(curve, timeline.seconds, begin, top, height, 1)
        low, high = np.searchsorted(timeline.seconds, (top, begin + lasts))
        curve[low:high] += np.linspace(height, 0, high - low)
    return any_pool(draw, curve)


def busier(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """More and more users until a level is reached: memory follows the load for hours."""
    middle, width = timeline.length * draw.between(0.1, 0.8), draw.log(300, 14_400)
    level = 1 / (1 + np.exp(-np.clip((timeline.seconds - middle) / width, -50, 50)))
    noise = 1 + draw.log(0.01, 0.2) * wander(timeline.step, draw.log(60, 3600), len(timeline), draw.rng)
    return any_pool(draw, size * np.maximum(level * noise, 0))


def dictionary_of_names(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Metrics with labels, interned names, compiled patterns: new ones ever more rarely, each day some."""
    work = _work(draw, timeline)
    curve = np.log1p(work / draw.log(60, 7200))
    return _filled(draw, size * uneven(draw, timeline, curve / max(float(curve.max()), 1e-9)))


FILLS: dict[str, Fill] = {
    "quick LRU": full_at_once(120, 3600),
    "slow LRU": full_at_once(3600, 43_200),
    "popular keys": popular_keys,
    "expiring": expiring,
    "pool": pool,
    "warm-up": warm_up,
    "backlog": backlog,
    "busier": busier,
    "names": dictionary_of_names,
}
