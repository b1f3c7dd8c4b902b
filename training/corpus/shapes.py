"""Curves that the parts of a program are made of. Times are seconds, sizes MiB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.corpus.draw import Draw
from training.corpus.series import Array
from training.corpus.timeline import Timeline, wander


def sums(at: Array, times: Array, sizes: Array) -> Array:
    """Return the sum of the sizes whose times have come; ``times`` are in order."""
    return np.concatenate(([0.0], np.cumsum(sizes)))[np.searchsorted(times, at, side="right")]


def delayed(curve: Array, seconds: Array, delay: float) -> Array:
    """Return a curve as it was ``delay`` earlier."""
    return np.interp(seconds - delay, seconds, curve, left=float(curve[0]))


def highest_so_far(timeline: Timeline, curve: Array, period: NDArray[np.intp], release_seconds: float) -> Array:
    """Return the highest value of a period so far, which falls by a factor e in ``release_seconds``.

    ``period`` is its number at each sample. ``curve`` must be positive.
    """
    falls = timeline.seconds / release_seconds
    heights = np.log(np.maximum(curve, 1e-6)) + falls
    apart = period * (2 * float(np.ptp(heights)) + 1)  # no period has the heights of one before it
    highest: Array = np.exp(np.maximum.accumulate(heights + apart) - apart - falls)
    return highest


def uneven(draw: Draw, timeline: Timeline, curve: Array) -> Array:
    """Return a curve that rises as far in each process, but unevenly: by sizes, bursts and pauses of requests."""
    rises = np.maximum(np.diff(curve, prepend=curve[0]), 0)
    rises[timeline.is_first] = 0
    weights = draw.spread(draw.log(0.1, 1.5), len(curve))
    weights *= np.exp(draw.log(0.05, 0.8) * wander(timeline.step, draw.log(60, 7200), len(curve), draw.rng))
    summed, plain = np.cumsum(rises * weights), np.cumsum(rises)
    first = timeline.is_first
    summed, plain = summed - summed[first][timeline.life], plain - plain[first][timeline.life]
    last = np.concatenate((first[1:], [True]))
    scale = plain[last] / np.maximum(summed[last], 1e-12)
    found: Array = curve[first][timeline.life] + summed * scale[timeline.life]
    return found


def with_tables(draw: Draw, curve: Array) -> Array:
    """Return the hash table of a dict whose content is ``curve``: it is doubled now and then, at once."""
    first = max(float(curve.max()), 1e-3) / 2 ** draw.between(2, 9)
    doublings = np.floor(np.log2(np.maximum(curve / first, 1.0)))
    tables: Array = draw.log(0.1, 0.6) * first * (2**doublings - 1)
    return tables


def distinct_keys(requests: Array, keys: int, exponent: float) -> Array:
    """Return the share of the keys that have been requested after so many requests.

    The probability of a key is that of Zipf's law, whose keys are grouped here in powers of 1.5.
    """
    edges = np.unique(np.concatenate(([1], np.round(1.5 ** np.arange(60)), [keys + 1])))
    edges = edges[edges <= keys + 1]
    middle, group = np.sqrt(edges[:-1] * (edges[1:] - 1 + (np.diff(edges) == 1))), np.diff(edges)
    odds = middle**-exponent
    odds /= (odds * group).sum()
    highest = max(float(requests.max()), 1.0)
    grid = np.concatenate(([0.0], np.geomspace(highest * 1e-5, highest, 200)))
    known = ((1 - np.exp(-grid[:, None] * odds[None, :])) * group).sum(axis=1) / keys
    shares: Array = np.interp(requests, grid, known)
    return shares


def add_job(curve: Array, seconds: Array, begin: float, end: float, size: float, ramp: float) -> None:  # noqa: PLR0917
    """Add a job to a curve: it collects ``size`` during the share ``ramp`` of its time, and frees it at its end."""
    low, high = np.searchsorted(seconds, (begin, end))
    part = (seconds[low:high] - begin) / max(end - begin, 1e-9)
    curve[low:high] += size * np.minimum(part / max(ramp, 1e-3), 1.0)
