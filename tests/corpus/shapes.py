"""Shapes of memory over time: small functions of time, which can be added up. Sizes are MiB, times hours.

Each takes the times of the samples and returns the size at each of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def ramp(hours: Array, per_hour: float, onset: float = 0.0) -> Array:
    """Grows from ``onset`` to the end."""
    return per_hour * np.maximum(hours - onset, 0.0)


def power(hours: Array, per_hour: float, exponent: float, onset: float = 0.0) -> Array:
    """Grows to the end, more and more slowly (or faster): ``per_hour`` on average over the whole series."""
    passed = np.maximum(hours - onset, 0.0)
    whole = max(float(passed[-1]), 1e-9)
    return per_hour * whole * (passed / whole) ** exponent


def stairs(hours: Array, per_hour: float, step_hours: float, onset: float, rng: np.random.Generator) -> Array:
    """Grows to the end in steps whose times and heights vary by a third."""
    sizes = np.zeros_like(hours)
    at = onset + step_hours * rng.uniform(0.3, 1)
    while at < hours[-1]:
        sizes += per_hour * step_hours * rng.uniform(0.67, 1.33) * (hours >= at)
        at += step_hours * rng.uniform(0.67, 1.33)
    return sizes


def filling(hours: Array, size: float, time_constant: float, onset: float = 0.0) -> Array:
    """A cache whose keys repeat: it fills more and more slowly."""
    return size * (1 - np.exp(-np.maximum(hours - onset, 0.0) / time_constant))


def lru(hours: Array, size: float, fill_hours: float, onset: float = 0.0) -> Array:
    """A cache with a maximum whose keys do not repeat: it fills evenly, then stops."""
    return size * np.clip((hours - onset) / fill_hours, 0.0, 1.0)


def sawtooth(hours: Array, height: float, period: float, phase: float, rng: np.random.Generator, vary: float) -> Array:
    """Rises, and falls at once, like garbage before a collection; periods and heights vary by ``vary``."""
    count = int(hours[-1] / period) + 3
    lengths = period * rng.uniform(1 - vary, 1 + vary, count)
    edges = np.concatenate([[-phase * period], -phase * period + np.cumsum(lengths)])
    tooth = np.clip(np.searchsorted(edges, hours, side="right") - 1, 0, count - 1)
    heights = height * rng.uniform(1 - vary, 1.0, count)
    sizes: Array = heights[tooth] * (hours - edges[tooth]) / lengths[tooth]
    return sizes


def swing(hours: Array, height: float, period: float, phase: float, sharpness: float = 1.0) -> Array:
    """A periodic load; a sharpness over 1 makes the busy time short, under 1 the quiet time."""
    return height * (0.5 + 0.5 * np.sin(2 * np.pi * (hours / period + phase))) ** sharpness


def daily(hours: Array, height: float, phase: float, rng: np.random.Generator, sharpness: float = 1.0) -> Array:
    """A daily load; no two days have the same height."""
    days = rng.uniform(0.85, 1.0, int(hours[-1] / 24) + 3)
    shifted = hours / 24 + phase + 0.25  # a day begins at its minimum
    sizes: Array = swing(hours, height, 24.0, phase, sharpness) * days[np.floor(shifted).astype(int)]
    return sizes


def steps(hours: Array, size: float, at: Array) -> Array:
    """Lasting steps up, as of a model that is loaded or a pool that is enlarged."""
    sizes: Array = size * np.sum(hours[:, None] >= at[None, :], axis=1)
    return sizes


def batches(hours: Array, size: float, every: float, length: float, rng: np.random.Generator) -> Array:
    """Jobs that collect data and release it at the end."""
    sizes = np.zeros_like(hours)
    at = every * rng.uniform(0, 1)
    while at < hours[-1]:
        lasts = length * rng.uniform(0.6, 1.4)
        inside = (hours >= at) & (hours < at + lasts)
        sizes[inside] += size * rng.uniform(0.6, 1.0) * np.minimum((hours[inside] - at) / (lasts * 0.8), 1.0)
        at += max(every * rng.uniform(0.8, 1.2), lasts * 1.2)
    return sizes


def spikes(hours: Array, size: float, count: int, rng: np.random.Generator) -> Array:
    """Single large requests: memory that is released after some minutes."""
    sizes = np.zeros_like(hours)
    for at in rng.uniform(0, hours[-1], count):
        sizes += size * rng.uniform(0.3, 1.0) * ((hours >= at) & (hours < at + rng.uniform(0.01, 0.3)))
    return sizes


def wandering(hours: Array, spread: float, memory_hours: float, rng: np.random.Generator) -> Array:
    """A random walk around a mean, like a working set."""
    step = float(hours[1] - hours[0])
    keep = np.exp(-step / memory_hours)
    kicks = rng.normal(0, spread * np.sqrt(1 - keep**2), len(hours))
    sizes = np.empty_like(hours)
    last = 0.0
    for index, kick in enumerate(kicks):
        last = keep * last + kick
        sizes[index] = last
    return sizes


def sticky(sizes: Array, returned: float, hours: Array, release_hours: float) -> Array:
    """RSS of a heap: freed memory returns to the kernel only in part, and late."""
    keep = float(np.exp(-(hours[1] - hours[0]) / release_hours))
    held = np.empty_like(sizes)
    last = sizes[0]
    for index, size in enumerate(sizes):
        kept = size + (1 - returned) * max(last - size, 0.0)
        last = size if size >= last else max(kept, size + (last - size) * keep)
        held[index] = last
    return held
