"""Which values of a process a series has, and when they were measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.corpus.draw import Draw
from training.corpus.series import Array

AT_A_CENSUS = (
    "heap_bytes", "n_objects", "malloc_used_bytes", "malloc_retained_bytes", "pymalloc_used_bytes",
    "pymalloc_retained_bytes", "unique_bytes",
)  # fmt: skip  # a list
"""Columns that the product measures at a census only."""

MISSING = (
    (("malloc_used_bytes", "malloc_retained_bytes"), 0.15),
    (("pymalloc_used_bytes", "pymalloc_retained_bytes"), 0.1),
    (("heap_bytes", "n_objects"), 0.1),
    (("anonymous_bytes", "file_bytes", "shmem_bytes", "swap_bytes"), 0.05),
)
"""Columns that are missing together, and the share of the services in which they are: by other C libraries, say."""

BASIC = ("rss_bytes", "heap_bytes", "allocated_blocks", "gc_gen2_collections")


def measured(draw: Draw, columns: dict[str, Array]) -> dict[str, Array]:
    """Return the columns that are recorded, with NaN where a value was not measured."""
    kind = draw.between(0, 1)
    if kind < 0.2:
        return {"rss_bytes": columns["rss_bytes"]}
    if kind < 0.40:  # another monitor, which measures all values each time
        return {name: columns[name] for name in BASIC if name in columns and (name != "heap_bytes" or draw.chance(0.8))}
    found = dict(columns)
    for names, share in MISSING:
        if draw.chance(share):
            found = {name: column for name, column in found.items() if name not in names}
    _measure_at_censuses(draw, found)
    if draw.chance(0.05):  # from some time on, a source is missing
        name, count = draw.one_of(sorted(set(found) - {"rss_bytes"})), len(found["rss_bytes"])
        found[name] = np.where(np.arange(count) < count * draw.between(0.2, 0.9), found[name], np.nan)
    return found


def _measure_at_censuses(draw: Draw, columns: dict[str, Array]) -> None:
    """Remove the values between two censuses; some censuses take long, so that their values are late."""
    every = max(round(draw.log(3.6, 80)), 4)
    late = draw.whole(1, 12) if draw.chance(0.1) else 0
    for name in AT_A_CENSUS:
        if name in columns:
            values = np.full(len(columns[name]), np.nan)
            values[late::every] = columns[name][: len(values) - late : every]
            columns[name] = values


def recorded_samples(draw: Draw, seconds: Array) -> NDArray[np.bool_]:
    """Return which samples are recorded: all of them, or all but some minutes or hours, or but single ones."""
    keep = np.ones(len(seconds), bool)
    if draw.chance(0.12):
        for _ in range(draw.whole(1, 3)):
            begin = draw.between(0.05, 0.95) * seconds[-1]
            keep[(seconds > begin) & (seconds < begin + min(draw.log(60, 14_400), 0.2 * seconds[-1]))] = False
    if draw.chance(0.06):
        keep &= draw.rng.random(len(seconds)) > draw.log(0.001, 0.3)
    keep[0] = True
    return keep


def clock(draw: Draw, seconds: Array, interval: float) -> Array:
    """Return the times that are recorded: samples are late by milliseconds, and clocks are set, mostly forward."""
    times = seconds + np.minimum(draw.rng.exponential(draw.log(1e-4, 0.02) * interval, len(seconds)), 0.4 * interval)
    if draw.chance(0.06):
        jump = draw.log(1, 14_400) if draw.chance(0.7) else -draw.log(1, 120)
        times[seconds > seconds[-1] * draw.between(0.05, 0.95)] += jump
    return times
