"""The generated part of the corpus: series that are known to leak or to be healthy, drawn from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from heap_exporter.model import Point
from tests.corpus import shapes
from tests.corpus.shapes import Array

INTERVAL_SECONDS = 15.0
MIB = 1 << 20
MAX_MIB = 24 * 1024.0


@dataclass
class Series:
    """One process, or several runs of it; ``onset_hours`` is when its leak begins, None if it is healthy."""

    kind: str
    seed: int
    hours: Array
    rss: Array
    heap: Array | None
    onset_hours: float | None = None
    per_hour: float = 0.0
    restarts: Array = field(default_factory=lambda: np.zeros(0))
    has_objects: bool = True

    @property
    def leaks(self) -> bool:
        return self.onset_hours is not None

    def points(self) -> Iterator[Point]:
        """Yield the samples as points for the detector."""
        begun = set(np.searchsorted(self.hours, self.restarts).tolist())
        gen2 = 0
        last_full = 0.0
        heap = self.heap
        for index, hour in enumerate(self.hours.tolist()):
            size = None if heap is None else max(float(heap[index]), 1.0)
            if size is None:
                yield Point(round(hour * 3600, 3), int(self.rss[index] * MIB), restart=index in begun)
                continue
            if size > 1.25 * last_full or index % 400 == 0:
                gen2, last_full = gen2 + 1, size
            last_full = min(last_full, size)
            blocks = int(size * MIB / 90)
            yield Point(
                round(hour * 3600, 3),
                int(self.rss[index] * MIB),
                heap_bytes=int(size * MIB),
                allocated_blocks=blocks,
                gc_gen2_collections=gen2,
                n_objects=blocks // 3 if self.has_objects else None,
                restart=index in begun,
            )


class Draw:
    """Draws random numbers from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def log(self, low: float, high: float) -> float:
        """Return a number whose logarithm is uniform in the range."""
        return float(math.exp(self.rng.uniform(math.log(low), math.log(high))))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)


def times(hours: float) -> Array:
    return np.arange(0, hours * 3600, INTERVAL_SECONDS) / 3600


def series(kind: str, seed: int) -> Series:
    """Return the series of a kind and a seed, the same each time."""
    draw = Draw(seed * 1_000 + [*LEAKING, *HEALTHY].index(kind))
    return LEAKING[kind](kind, seed, draw) if kind in LEAKING else HEALTHY[kind](kind, seed, draw)


def _process(draw: Draw, kind: str, seed: int, hours: Array, base: float, heap: Array, native: Array | float = 0.0,
             noise: float | None = None) -> Series:  # fmt: skip
    """Return the series of a process of ``base`` MiB, with ``heap`` and ``native`` memory on top of it."""
    rng = draw.rng
    share = draw.log(0.001, 0.02) if noise is None else noise
    held = shapes.sticky(heap, draw.between(0.1, 1.0), hours, draw.log(0.05, 12)) if draw.chance(0.7) else heap
    white = rng.normal(0, base * share * draw.between(0.1, 0.7), len(hours))
    walk = shapes.wandering(hours, base * share * draw.between(0, 0.7), draw.log(0.02, 2), rng)
    rss = base + held + native + white + walk
    inner = base * draw.between(0.3, 0.7) + heap + rng.normal(0, base * share * 0.05, len(hours)) + 0.3 * walk
    found = Series(kind, seed, hours, np.maximum(rss, 1.0), None if draw.chance(0.3) else np.maximum(inner, 1.0))
    found.has_objects = draw.chance(0.8)
    return found


def _base(draw: Draw) -> float:
    return draw.log(40, 4096)


# --- leaking --------------------------------------------------------------------------------------------------


def _leak(draw: Draw) -> tuple[Array, float, float, float]:
    """Return times, MiB/h, base and noise of a leak that is visible in the series.

    Nine of ten last long enough to differ from a cache by their shape: ten hours, or until the process is three times
    as large. The others end sooner.
    """
    is_lasting = draw.chance(0.9)
    while True:
        per_hour = draw.log(1, 6000)
        hours = draw.log(2, 72)
        base = _base(draw)
        noise = draw.log(0.001, 0.02)
        if per_hour * hours > MAX_MIB:
            hours = MAX_MIB / per_hour
        is_long = hours >= 10 or per_hour * hours >= 2 * max(base, 256)
        is_seen = per_hour * hours >= max(12.0, 0.04 * base, 8 * noise * base)
        if hours >= 2 and is_seen and (is_long or not is_lasting):
            return times(hours), per_hour, base, noise


def _leaking(found: Series, onset: float, per_hour: float) -> Series:
    found.onset_hours, found.per_hour = onset, per_hour
    return found


def _steady(kind: str, seed: int, draw: Draw) -> Series:
    hours, per_hour, base, noise = _leak(draw)
    found = _process(draw, kind, seed, hours, base, shapes.ramp(hours, per_hour), noise=noise)
    return _leaking(found, 0.0, per_hour)


def _native(kind: str, seed: int, draw: Draw) -> Series:
    hours, per_hour, base, noise = _leak(draw)
    heap = shapes.wandering(hours, 0.01 * base, 1.0, draw.rng)
    return _leaking(_process(draw, kind, seed, hours, base, heap, shapes.ramp(hours, per_hour), noise), 0.0, per_hour)


def _late(kind: str, seed: int, draw: Draw) -> Series:
    hours, per_hour, base, noise = _leak(draw)
    onset = draw.log(0.3, 24)
    hours = times(min(float(hours[-1]) + onset, 72.0))
    onset = min(onset, float(hours[-1]) / 2)
    heap = shapes.ramp(hours, per_hour, onset)
    if draw.chance(0.5):
        heap = heap + shapes.filling(hours, base * draw.log(0.05, 0.5), draw.log(0.05, 0.5))
    return _leaking(_process(draw, kind, seed, hours, base, heap, noise=noise), onset, per_hour)


def _stairs(kind: str, seed: int, draw: Draw) -> Series:
    hours, per_hour, base, noise = _leak(draw)
    heap = shapes.stairs(hours, per_hour, float(hours[-1]) / draw.log(8, 100), 0.0, draw.rng)
    return _leaking(_process(draw, kind, seed, hours, base, heap, noise=noise), 0.0, per_hour)


def _under_swings(kind: str, seed: int, draw: Draw) -> Series:
    """A leak under a load that takes memory too, for so long that the leak exceeds it or that days can be compared."""
    while True:
        hours, per_hour, base, noise = _leak(draw)
        length = float(hours[-1])
        period = draw.log(0.5, 24)
        height = base * draw.log(0.05, 1)
        if per_hour * length > 0.7 * height and length > 2.5 * period:
            break
    heap = shapes.ramp(hours, per_hour) + shapes.swing(hours, height, period, draw.between(0, 1), draw.log(0.5, 2))
    return _leaking(_process(draw, kind, seed, hours, base, heap, noise=noise), 0.0, per_hour)


def _with_load(kind: str, seed: int, draw: Draw) -> Series:
    """A leak per request: it stops while there is no load."""
    hours, per_hour, base, noise = _leak(draw)
    rate = 0.1 + shapes.swing(hours, 1.8, min(24.0, float(hours[-1]) / 2), draw.between(0, 1))
    heap = per_hour * np.cumsum(rate) * (hours[1] - hours[0])
    return _leaking(_process(draw, kind, seed, hours, base, heap, noise=noise), 0.0, per_hour)


def _under_sawtooth(kind: str, seed: int, draw: Draw) -> Series:
    while True:
        hours, per_hour, base, noise = _leak(draw)
        length = float(hours[-1])
        height, period = base * draw.log(0.05, 0.8), draw.log(1 / 60, min(4, length / 6))
        if per_hour * length > 0.5 * height:
            break
    heap = shapes.ramp(hours, per_hour) + shapes.sawtooth(
        hours, height, period, draw.between(0, 1), draw.rng, draw.between(0, 0.3)
    )
    return _leaking(_process(draw, kind, seed, hours, base, heap, noise=noise), 0.0, per_hour)


def _after_warm_up(kind: str, seed: int, draw: Draw) -> Series:
    hours, per_hour, base, noise = _leak(draw)
    warm = shapes.lru if draw.chance(0.5) else shapes.filling
    heap = shapes.ramp(hours, per_hour) + warm(hours, base * draw.log(0.1, 1), draw.log(1 / 60, 0.5))
    return _leaking(_process(draw, kind, seed, hours, base, heap, noise=noise), 0.0, per_hour)


def _sub_linear(kind: str, seed: int, draw: Draw) -> Series:
    hours, per_hour, base, noise = _leak(draw)
    heap = shapes.power(hours, per_hour, draw.between(0.75, 1.2))
    return _leaking(_process(draw, kind, seed, hours, base, heap, noise=noise), 0.0, per_hour)


def _oom_loop(kind: str, seed: int, draw: Draw) -> Series:
    """A leak in a process that is killed at its limit again and again: the slope is the same in each run."""
    hours = times(draw.log(8, 72))
    base, run_hours = _base(draw), float(hours[-1]) / draw.between(3.2, 9)
    per_hour = min(max(base * draw.log(0.5, 4) / run_hours, 8.0), 6000.0)
    starts = np.arange(0, hours[-1], run_hours)
    passed = hours - starts[np.searchsorted(starts, hours, side="right") - 1]
    found = _process(draw, kind, seed, hours, base, np.zeros_like(hours), per_hour * passed)
    if found.heap is not None:
        found.heap = found.heap + per_hour * passed
    found.restarts = starts[1:]
    return _leaking(found, 0.0, per_hour)


LEAKING: dict[str, Callable[[str, int, Draw], Series]] = {
    "leak": _steady,
    "leak, native": _native,
    "leak, late": _late,
    "leak, stairs": _stairs,
    "leak under load swings": _under_swings,
    "leak by load": _with_load,
    "leak under sawtooth": _under_sawtooth,
    "leak after warm-up": _after_warm_up,
    "leak, bent": _sub_linear,
    "leak, killed in a loop": _oom_loop,
}

# --- healthy ---------------------------------------------------------------------------------------------


def _healthy(draw: Draw) -> tuple[Array, float]:
    return times(draw.log(2, 72)), _base(draw)


def _flat(kind: str, seed: int, draw: Draw) -> Series:
    hours, base = _healthy(draw)
    return _process(draw, kind, seed, hours, base, np.zeros_like(hours), noise=draw.log(0.001, 0.05))


def _wandering(kind: str, seed: int, draw: Draw) -> Series:
    hours, base = _healthy(draw)
    heap = shapes.wandering(hours, base * draw.log(0.005, 0.1), draw.log(0.2, 6), draw.rng)
    return _process(draw, kind, seed, hours, base, heap)


def _sawtooth_of(low: float, high: float) -> Callable[[str, int, Draw], Series]:
    def made(kind: str, seed: int, draw: Draw) -> Series:
        hours, base = _healthy(draw)
        height, period = base * draw.log(0.03, 1), draw.log(low, high)
        teeth = shapes.sawtooth(hours, height, period, draw.between(0, 1), draw.rng, draw.between(0, 0.4))
        return _process(draw, kind, seed, hours, base, teeth)

    return made


def _daily(kind: str, seed: int, draw: Draw) -> Series:
    hours, base = times(draw.log(8, 72)), _base(draw)
    height = base * draw.log(0.05, 1)
    load = shapes.daily(hours, height, draw.between(0, 1), draw.rng, draw.log(0.5, 3))
    return _process(draw, kind, seed, hours, base, load)


def _warm_up(kind: str, seed: int, draw: Draw) -> Series:
    hours, base = _healthy(draw)
    warm = shapes.lru if draw.chance(0.5) else shapes.filling
    length = draw.log(1 / 60, 1)
    heap = warm(hours, base * draw.log(0.1, 3), length if warm is shapes.lru else length / 3)
    return _process(draw, kind, seed, hours, base, heap)


def _restarts(kind: str, seed: int, draw: Draw) -> Series:
    hours, base = _healthy(draw)
    run_hours = draw.log(1 / 3, min(24, float(hours[-1]) / 1.5))
    starts = [0.0]
    while starts[-1] < hours[-1]:
        starts.append(starts[-1] + run_hours * draw.between(0.7, 1.3))
    begun = np.array(starts)
    passed = hours - begun[np.searchsorted(begun, hours, side="right") - 1]
    heap = shapes.filling(passed, base * draw.log(0.1, 1), draw.log(1 / 60, 0.7))
    found = _process(draw, kind, seed, hours, base, np.zeros_like(hours), heap)
    if found.heap is not None:
        found.heap = found.heap + heap
    found.restarts = begun[1:-1]
    return found


def _steps(kind: str, seed: int, draw: Draw) -> Series:
    hours, base = _healthy(draw)
    at = draw.rng.uniform(0, hours[-1], int(draw.between(1, 4)))
    heap = shapes.steps(hours, base * draw.log(0.05, 1), at)
    return _process(draw, kind, seed, hours, base, heap)


def _cache_of(low: float, high: float) -> Callable[[str, int, Draw], Series]:
    def made(kind: str, seed: int, draw: Draw) -> Series:
        hours, base = _healthy(draw)
        onset = 0.0 if draw.chance(0.8) else float(hours[-1]) * draw.between(0, 0.5)
        heap = shapes.filling(hours, base * draw.log(0.1, 4), draw.log(low, high), onset)
        return _process(draw, kind, seed, hours, base, heap)

    return made


def _lru_of(low: float, high: float) -> Callable[[str, int, Draw], Series]:
    def made(kind: str, seed: int, draw: Draw) -> Series:
        hours, base = _healthy(draw)
        onset = 0.0 if draw.chance(0.8) else float(hours[-1]) * draw.between(0, 0.5)
        heap = shapes.lru(hours, base * draw.log(0.1, 4), draw.log(low, high), onset)
        return _process(draw, kind, seed, hours, base, heap)

    return made


def _batches(kind: str, seed: int, draw: Draw) -> Series:
    hours, base = _healthy(draw)
    every = draw.log(0.5, 24)
    heap = shapes.batches(hours, base * draw.log(0.1, 2), every, every * draw.between(0.05, 0.6), draw.rng)
    return _process(draw, kind, seed, hours, base, heap)


def _spikes(kind: str, seed: int, draw: Draw) -> Series:
    hours, base = _healthy(draw)
    heap = shapes.spikes(hours, base * draw.log(0.1, 2), int(draw.between(1, hours[-1])), draw.rng)
    return _process(draw, kind, seed, hours, base, heap)


def _busy(kind: str, seed: int, draw: Draw) -> Series:
    """Several healthy shapes at once, as in most services."""
    hours, base = _healthy(draw)
    heap = (
        shapes.filling(hours, base * draw.log(0.1, 1), draw.log(0.05, 2))
        + shapes.sawtooth(hours, base * draw.log(0.03, 0.3), draw.log(1 / 60, 1), 0.0, draw.rng, 0.3)
        + shapes.daily(hours, base * draw.log(0.05, 0.5), draw.between(0, 1), draw.rng)
        + shapes.wandering(hours, 0.01 * base, 1.0, draw.rng)
    )
    return _process(draw, kind, seed, hours, base, heap)


HEALTHY: dict[str, Callable[[str, int, Draw], Series]] = {
    "flat": _flat,
    "wandering": _wandering,
    "short sawtooth": _sawtooth_of(1 / 60, 0.25),
    "long sawtooth": _sawtooth_of(0.25, 4),
    "daily load": _daily,
    "warm-up": _warm_up,
    "restarts": _restarts,
    "steps": _steps,
    "cache, quick": _cache_of(1 / 60, 1 / 6),
    "cache, slow": _cache_of(1 / 6, 8),
    "LRU fill, quick": _lru_of(1 / 6, 0.5),
    "LRU fill, slow": _lru_of(0.5, 6),
    "batch jobs": _batches,
    "spikes": _spikes,
    "busy service": _busy,
}

NEVER_CONFIRMED = frozenset(
    {"flat", "short sawtooth", "warm-up", "restarts", "steps", "cache, quick", "LRU fill, quick", "spikes"}
)
"""The kinds that must never be confirmed, whatever the precision over all of them."""
