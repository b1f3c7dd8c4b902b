"""When a service is sampled, when its processes start, and how much it has to do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from training.corpus.draw import Draw
from training.corpus.series import Array

DAY = 86_400.0


@dataclass(frozen=True)
class Timeline:
    """The samples of a service: their times, their processes, and the load at each.

    ``life`` is the number of the process, 0 for the first; ``age`` the seconds since its start; ``life_seconds`` the
    time that this process runs in all. ``load`` is relative to its mean.
    """

    seconds: Array
    step: float
    life: NDArray[np.intp]
    age: Array
    life_seconds: Array
    load: Array

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def length(self) -> float:
        return float(self.seconds[-1])

    @property
    def lives(self) -> int:
        return int(self.life[-1]) + 1

    @cached_property
    def is_first(self) -> NDArray[np.bool_]:
        """Return whether a sample is the first one of its process."""
        return np.concatenate(([True], np.diff(self.life) > 0))

    @cached_property
    def work(self) -> Array:
        """Return the load served since the start of the series, in seconds at the mean load."""
        gaps = np.diff(self.seconds, prepend=self.seconds[0])
        return np.cumsum(self.load * gaps)

    @cached_property
    def work_of_life(self) -> Array:
        """Return the load that the process has served since its start, in seconds at the mean load."""
        work: Array = self.work - self.work[self.is_first][self.life] + self.age[self.is_first][self.life]
        return work


def wandering(count: int, keep: float, rng: np.random.Generator) -> Array:
    """Return a stationary series with mean 0 and deviation 1 that keeps the share ``keep`` of its value each step."""
    values: Array = rng.standard_normal(count) * math.sqrt(1 - keep * keep)
    values[0] = rng.standard_normal()
    shift = 1
    while shift < count and keep > 1e-12:  # doubles the number of steps that each value sums up
        values[shift:] += keep * values[:-shift]
        keep, shift = keep * keep, 2 * shift
    return values


def wander(timeline_step: float, memory_seconds: float, count: int, rng: np.random.Generator) -> Array:
    """Return such a series whose values are forgotten in ``memory_seconds``."""
    return wandering(count, float(np.exp(-timeline_step / memory_seconds)), rng)


def draw_load(draw: Draw, seconds: Array, step: float) -> Array:
    """Return the load of a service: a part of a day, a week, bursts, and single busy moments, with the mean 1."""
    count = len(seconds)
    load = np.ones(count)
    if draw.chance(0.6):
        load *= daily(draw, seconds, draw.between(0.05, 1.0))
    if draw.chance(0.3):
        load *= 1 + draw.log(0.2, 3) * np.maximum(wander(step, draw.log(60, 14_400), count, draw.rng) - 1, 0)
    load *= np.exp(draw.between(0, 0.5) * wander(step, draw.log(30, 7_200), count, draw.rng))
    load *= draw.spread(draw.between(0, 0.6), count)
    mean: float = load.mean()
    return np.maximum(load / max(mean, 1e-9), 0.0)


def daily(draw: Draw, seconds: Array, depth: float) -> Array:
    """Return a load that repeats each day in much the same way: at night it is lower by the share ``depth``."""
    phase = draw.between(0, 1)
    days = seconds / DAY + phase
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * days)
    wave = wave ** draw.log(0.5, 4)
    if draw.chance(0.4):  # a second peak in the evening
        wave = 0.7 * wave + 0.3 * (0.5 - 0.5 * np.cos(4 * np.pi * days + draw.between(0, 2))) ** 2
    heights = draw.spread(draw.between(0, 0.2), int(days[-1]) + 2)
    if draw.chance(0.4):  # a weekend
        heights[(np.arange(len(heights)) + draw.whole(0, 6)) % 7 < 2] *= draw.between(0.2, 0.9)
    # Days differ from midnight to midnight, where the wave is lowest.
    return 1 - depth + depth * wave * heights[days.astype(np.intp)]


def draw_timeline(draw: Draw, step: float, starts: Array, ends: Array) -> Timeline:
    """Return the timeline of processes that run from ``starts`` to ``ends``, in seconds, sampled every ``step``."""
    seconds = np.arange(0, ends[-1], step)
    life = np.searchsorted(starts, seconds, side="right") - 1
    runs = seconds < ends[life]
    seconds, life = seconds[runs], life[runs]
    life = np.unique(life, return_inverse=True)[1] if len(starts) > 1 else life
    alive = np.isin(np.arange(len(starts)), np.searchsorted(starts, seconds, side="right") - 1)
    starts, ends = starts[alive], ends[alive]
    load = draw_load(draw, seconds, step)
    return Timeline(seconds, step, life, seconds - starts[life], (ends - starts)[life], load)
