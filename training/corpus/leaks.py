"""Memory that grows for as long as the process runs: each function draws the growth of one leak.

A curve has the mean rate 1 MiB/h in a process from the onset to its end; the caller scales it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from training.corpus.backgrounds import python_parts
from training.corpus.demand import Demand, Pool
from training.corpus.draw import Draw
from training.corpus.series import Array
from training.corpus.shapes import sums, uneven, with_tables
from training.corpus.timeline import Timeline

HOUR = 3600.0
GrowthShape = Callable[[Draw, Timeline, float], Array]
Holder = Callable[[Draw, Array], Sequence[Demand]]


def leaking_seconds(timeline: Timeline, onset: float) -> Array:
    """Return for how long each process has leaked."""
    return np.minimum(timeline.age, np.maximum(timeline.seconds - onset, 0))


def straight(draw: Draw, timeline: Timeline, onset: float) -> Array:
    """The same amount each second, or an amount that varies around it."""
    curve = leaking_seconds(timeline, onset) / HOUR
    return uneven(draw, timeline, curve) if draw.chance(0.5) else curve


def by_load(draw: Draw, timeline: Timeline, onset: float) -> Array:
    """An amount for each request: it grows with the load and stops without it."""
    begun = np.interp(onset, timeline.seconds, timeline.work)
    work: Array = np.minimum(timeline.work_of_life, np.maximum(timeline.work - begun, 0))
    curve = _with_mean_rate(timeline, onset, work)
    return uneven(draw, timeline, curve) if draw.chance(0.6) else curve


def in_stairs(draw: Draw, timeline: Timeline, onset: float) -> Array:
    """An amount at a time: for each job, each reload or each failure, at even times or at random ones."""
    passed = leaking_seconds(timeline, onset)
    longest = float(passed.max())
    every = longest / draw.log(5, 150)
    count = int(longest / every) + 2
    gaps = every * (draw.spread(draw.between(0.02, 0.4), count) if draw.chance(0.6) else draw.rng.exponential(1, count))
    times, sizes = np.cumsum(gaps) - draw.between(0, 1) * gaps[0], draw.spread(draw.between(0.05, 0.8), count)
    rises = draw.log(0.001, 0.5) * every  # a step takes some time
    curve = sum(sums(passed - rises * part, times, sizes) for part in (0, 0.25, 0.5, 0.75))
    return _with_mean_rate(timeline, onset, np.asarray(curve))


def in_jobs(draw: Draw, timeline: Timeline, onset: float) -> Array:
    """Only while a job runs that comes again and again: in between it holds what it has leaked."""
    passed = leaking_seconds(timeline, onset)
    every = float(passed.max()) / draw.between(3, 40)
    busy = (passed / every + draw.between(0, 1)) % 1 < draw.between(0.1, 0.6)
    gaps = np.where(timeline.is_first, 0, np.diff(passed, prepend=0.0))
    summed = np.cumsum(busy * np.maximum(gaps, 0))
    return _with_mean_rate(timeline, onset, summed - summed[timeline.is_first][timeline.life])


def bent(draw: Draw, timeline: Timeline, onset: float) -> Array:
    """Ever faster, or ever more slowly without an end."""
    passed = leaking_seconds(timeline, onset)
    longest = max(float(passed.max()), 1.0)
    curve = _with_mean_rate(timeline, onset, (passed / longest) ** draw.between(0.6, 1.6))
    return uneven(draw, timeline, curve) if draw.chance(0.5) else curve


def _with_mean_rate(timeline: Timeline, onset: float, curve: Array) -> Array:
    """Return a curve with a mean rate of 1 MiB/h over all processes."""
    passed = leaking_seconds(timeline, onset)
    last = np.concatenate((timeline.is_first[1:], [True]))
    gained, hours = float(curve[last].sum()), float(passed[last].sum()) / HOUR
    return curve * (hours / gained) if gained > 0 else passed / HOUR


GROWTH_SHAPES: dict[str, GrowthShape] = {
    "straight": straight,
    "by load": by_load,
    "in stairs": in_stairs,
    "in jobs": in_jobs,
    "bent": bent,
}


def python_objects(draw: Draw, curve: Array) -> Sequence[Demand]:
    """A list, a dict, a cache without a limit, listeners, closures."""
    found = python_parts(draw, curve)
    if draw.chance(0.35):
        found.append(Demand(Pool.LARGE if draw.chance(0.7) else Pool.MAPPED, 0.3 * with_tables(draw, curve), 1e6, 0.0))
    return found


def native_memory(draw: Draw, curve: Array) -> Sequence[Demand]:
    """A C library that does not free, with or without a small object of Python for each allocation."""
    found = [Demand(Pool.NATIVE, curve)]
    if draw.chance(0.4):
        found.append(Demand(Pool.SMALL, curve * draw.log(1e-4, 0.03), draw.log(60, 200), 1.0))
    return found


def arrays(draw: Draw, curve: Array) -> Sequence[Demand]:
    """Large arrays: few objects, with mappings of their own."""
    size = draw.log(0.1, 16)
    small = Demand(Pool.SMALL, curve / size * 120e-6, 120.0, 1.0)
    return [Demand(Pool.MAPPED, np.floor(curve / size) * size), small]


def free_memory(draw: Draw, curve: Array) -> Sequence[Demand]:
    """Long-lived blocks between ever more free memory that no allocation fits into, and that is never returned."""
    held = draw.log(0.02, 0.3)
    return [Demand(Pool.FREE_MALLOC, (1 - held) * curve), *python_parts(draw, held * curve)]


def threads(draw: Draw, curve: Array) -> Sequence[Demand]:
    """Threads that wait for ever, each with a stack and some objects."""
    size = draw.log(0.05, 2)
    count = np.floor(curve / size)
    return [
        Demand(Pool.MAPPED, 0.8 * count * size, threads=count),
        *python_parts(draw, 0.2 * count * size),
    ]


def cycles(draw: Draw, curve: Array) -> Sequence[Demand]:
    """Cyclic garbage that no collection frees, because none takes place or because it is not collectable."""
    return [Demand(Pool.SMALL, curve, draw.log(60, 250), draw.between(0.4, 1))]


HOLDERS: dict[str, Holder] = {
    "objects": python_objects,
    "native": native_memory,
    "arrays": arrays,
    "free memory": free_memory,
    "threads": threads,
    "cycles": cycles,
}
"""What a leak consists of."""
