"""What healthy programs do with memory beneath everything else: each function draws one background.

``size`` is its height in MiB, from trough to peak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from training.corpus.demand import Demand, Pool
from training.corpus.draw import Draw
from training.corpus.shapes import add_job, delayed, sums
from training.corpus.timeline import DAY, Timeline, daily, wander

Background = Callable[[Draw, Timeline, float], Sequence[Demand]]


def python_parts(draw: Draw, curve: np.ndarray[tuple[int], np.dtype[np.float64]], **more: object) -> list[Demand]:
    """Return a curve as Python objects: small ones, large ones, or both."""
    small = draw.one_of((0.0, 1.0, draw.between(0.2, 0.9)))
    found = []
    if small > 0:
        blocks, objects = draw.log(45, 300), draw.between(0.15, 1.0)
        found.append(Demand(Pool.SMALL, small * curve, blocks, objects))
    if small < 1:
        found.append(Demand(Pool.LARGE, (1 - small) * curve, draw.log(700, 200_000), draw.between(0.5, 1)))
    for name, value in more.items():
        setattr(found[0], name, value)
    return found


def any_pool(draw: Draw, curve: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[Demand]:
    """Return a curve as Python objects, mostly, or as native memory."""
    kind = draw.between(0, 1)
    if kind < 0.65:
        return python_parts(draw, curve)
    return [Demand(Pool.NATIVE if kind < 0.83 else Pool.MAPPED if kind < 0.97 else Pool.SHARED, curve)]


def requests(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Bodies of requests that are being answered: log-normal sizes, most of them small."""
    count = len(timeline)
    sizes = timeline.load * draw.spread(draw.between(0.3, 1.6), count)
    return any_pool(draw, size * np.minimum(sizes / np.quantile(sizes, 0.99), 3.0))


def working_set(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """A set of objects in use that wanders around a mean, on one time scale or several."""
    curve = np.zeros(len(timeline))
    for _ in range(draw.whole(1, 3)):
        curve += wander(timeline.step, draw.log(120, 43_200), len(timeline), draw.rng) * draw.between(0.3, 1)
    return any_pool(draw, size / 4 * (curve - curve.min()))


def sawtooth_of(shortest: float, longest: float) -> Background:
    """Return cyclic garbage that full collections free after a time in the range, in seconds at the mean load."""

    def background(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
        period = draw.log(shortest, longest)
        if draw.chance(0.85):  # some are longer than the series
            period = min(period, timeline.length / draw.between(1.5, 5))
        return collected_cycles(draw, timeline, size, period)

    return background


def collected_cycles(draw: Draw, timeline: Timeline, size: float, period: float) -> Sequence[Demand]:
    """Cyclic garbage that full collections free.

    The threshold may grow with the heap (it does in 3.12 and older), so that collections become rarer. Collections in
    increments (3.14) leave a part.
    """
    work = timeline.work
    period = max(period, float(work[-1]) / (20 * len(timeline)))
    count = int(work[-1] / period) + 3
    lengths = period * draw.spread(draw.between(0, 0.5), count)
    if draw.chance(0.3):
        lengths *= np.minimum(draw.between(1.02, 1.3) ** np.minimum(np.arange(count), 200), draw.between(1.2, 4))
    edges = np.concatenate(([0.0], np.cumsum(lengths))) - draw.between(0, 1) * lengths[0]
    tooth = np.clip(np.searchsorted(edges, work, side="right") - 1, 0, count - 1)
    left = size * (draw.between(0, 0.3) if draw.chance(0.5) else 0.0) * draw.rng.random(count + 1)
    heights = size * lengths / period
    share = np.clip((work - edges[tooth]) / lengths[tooth], 0, 1)
    curve = left[tooth] + (heights[tooth] + left[tooth + 1] - left[tooth]) * share
    return python_parts(draw, np.maximum(curve, 0), collections=tooth.astype(float))


def daily_load(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Connections, sessions and buffers that follow the time of day, or the load itself, with a delay."""
    if draw.chance(0.3):
        busy = np.convolve(timeline.load, np.ones(5) / 5, mode="same")
        busy = busy / max(float(np.quantile(busy, 0.99)), 1e-9)
    else:
        busy = daily(draw, timeline.seconds, 1.0)
    curve = delayed(busy, timeline.seconds, draw.log(10, 7200) if draw.chance(0.5) else 0.0)
    return any_pool(draw, size * np.maximum(curve, 0))


def batches(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Jobs, each with its own hours, that collect data and release it."""
    curve = np.zeros(len(timeline))
    for _ in range(draw.whole(1, 3)):
        every = max(draw.one_of((900, 1800, 3600, 3600, 7200, 21_600, DAY, draw.log(600, DAY))), timeline.length / 200)
        lasts, ramp = every * draw.log(0.01, 0.6), draw.between(0.02, 1)
        begin, punctual = draw.between(0, every), draw.chance(0.6)
        spread = draw.between(0.05, 0.7)
        while begin < timeline.length:
            factor = float(draw.spread(spread, 1)[0])
            end = begin + min(lasts * factor, every)
            add_job(curve, timeline.seconds, begin, end, size * draw.between(0.3, 1) * min(factor, 3), ramp)
            begin += every if punctual else max(every * draw.between(0.5, 1.5), end - begin)
    return any_pool(draw, curve)


def fragmentation(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Free memory between blocks in use: it creeps up in steps of uneven size, ever more slowly, to a plateau."""
    count = draw.whole(6, 200)
    times = np.sort(draw.log(300, 28_800) * draw.rng.weibull(draw.between(0.4, 1.2), count))
    sizes = draw.spread(draw.between(0.2, 1.5), count)
    curve = sums(timeline.age, times, size * sizes / sizes.sum())
    shaking = 1 + draw.between(0, 0.2) * wander(timeline.step, draw.log(300, 7200), len(timeline), draw.rng)
    return [Demand(draw.one_of((Pool.FREE_MALLOC, Pool.FREE_MALLOC, Pool.FREE_SMALL)), curve * np.maximum(shaking, 0))]


def steps(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Modules, models and tables that are loaded when they are first used, and some that are unloaded."""
    count = draw.whole(1, 6)
    latest = timeline.length * draw.between(0.05, 1) / timeline.lives
    times = np.sort(latest * draw.rng.random(count))
    sizes = size / count * draw.spread(0.7, count)
    if draw.chance(0.4):
        sizes[count // 2 :] *= draw.rng.choice([-1.0, 1.0], count - count // 2)
    return any_pool(draw, np.maximum(sums(timeline.age, times, sizes), 0))


def reloads(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Configurations or models that are loaded anew: the old one is freed once the new one is in use."""
    curve = np.full(len(timeline), size * draw.between(0, 1))
    begin, every = 0.0, max(draw.log(600, DAY), timeline.length / 60)
    while begin < timeline.length:
        begin += every * draw.between(0.5, 1.5)
        add_job(curve, timeline.seconds, begin, begin + draw.log(5, 600), size * draw.between(0.5, 1), 0.5)
        curve[timeline.seconds >= begin] += 0.05 * size * (draw.between(-1, 1))
    return any_pool(draw, np.maximum(curve, 0))


def spikes(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Single large requests and reports."""
    curve = np.zeros(len(timeline))
    for begin in timeline.length * draw.rng.random(draw.whole(1, 12)):
        add_job(curve, timeline.seconds, begin, begin + draw.log(5, 3600), size * draw.between(0.2, 1), 0.3)
    return any_pool(draw, curve)


def thread_arenas(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Threads of a pool that are started as they are needed, each with its stack and an arena of malloc."""
    count = draw.whole(2, 40)
    times = np.sort(draw.log(60, 14_400) * draw.rng.weibull(0.7, count))
    started = sums(timeline.age, times, np.ones(count))
    stacks = Demand(Pool.MAPPED, 0.1 * size * started / count, threads=started)
    return [stacks, Demand(Pool.FREE_MALLOC, 0.9 * size * sums(timeline.age, times, draw.spread(0.6, count)) / count)]


def mapped_files(draw: Draw, timeline: Timeline, size: float) -> Sequence[Demand]:
    """Pages of files that are read little by little, and that the kernel takes back at times."""
    curve = size * (1 - np.exp(-timeline.work_of_life / draw.log(600, 43_200)))
    if draw.chance(0.3):
        curve[timeline.seconds > timeline.length * draw.between(0.2, 1)] *= draw.between(0.1, 0.8)
    return [Demand(Pool.FILES, curve)]


BACKGROUNDS: dict[str, Background] = {
    "requests": requests,
    "working set": working_set,
    "quick sawtooth": sawtooth_of(4, 600),
    "slow sawtooth": sawtooth_of(600, 14_400),
    "daily load": daily_load,
    "batches": batches,
    "fragmentation": fragmentation,
    "steps": steps,
    "reloads": reloads,
    "spikes": spikes,
    "threads": thread_arenas,
    "files": mapped_files,
}
"""The backgrounds that are drawn under every event."""
