"""Series without noise: the shapes of textbooks and of tests, where each feature is at the end of its range.

The random compositions of the corpus always have some noise. A model that has never seen a smooth rise would judge one
by features that it knows from leaks only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from heap_exporter.model import Point
from tests.corpus import shapes
from tests.corpus.made import Draw
from tests.corpus.shapes import Array
from training.dataset import Judgements, judgements

MIB = 1 << 20
STEP_HOURS = 1 / 120
SEEDS = 96
MORE_SEEDS = {"daily": 300, "filling": 150, "leak": 450, "late leak": 400}
"""Seeds of shapes that resemble each other: the morning of a daily load, a cache that fills, a leak."""

Shape = Callable[[Array, float, Draw], Array]
"""Return the memory in MiB on top of a base."""


def _daily(hours: Array, base: float, draw: Draw) -> Array:
    return shapes.swing(hours, base * draw.log(0.1, 3), 24.0, draw.between(0, 1), draw.log(0.5, 3))


def _loading(hours: Array, base: float, draw: Draw) -> Array:
    return shapes.lru(hours, base * draw.log(0.5, 60), draw.log(1 / 30, 1), draw.between(0, 1) * draw.chance(0.5))


def _filling(hours: Array, base: float, draw: Draw) -> Array:
    return shapes.lru(hours, base * draw.log(0.1, 4), draw.log(0.5, 8), draw.between(0, 3) * draw.chance(0.5))


def _cache(hours: Array, base: float, draw: Draw) -> Array:
    return shapes.filling(hours, base * draw.log(0.1, 4), draw.log(0.05, 6), draw.between(0, 3) * draw.chance(0.5))


def _settling(hours: Array, base: float, draw: Draw) -> Array:
    return base * draw.log(0.005, 0.2) * np.log1p(hours * draw.log(0.3, 10))


def _batches(hours: Array, base: float, draw: Draw) -> Array:
    every = draw.log(0.5, 8)
    return shapes.batches(hours, base * draw.log(0.1, 3), every, every * draw.between(0.1, 0.6), draw.rng)


def _sawtooth(hours: Array, base: float, draw: Draw) -> Array:
    return shapes.sawtooth(hours, base * draw.log(0.05, 1), draw.log(0.1, 4), draw.between(0, 1), draw.rng, 0.0)


def _leak(hours: Array, base: float, draw: Draw) -> Array:
    per_hour = base * draw.log(0.01, 10)
    return shapes.power(hours, per_hour, draw.between(0.85, 1.2))


def _late_leak(hours: Array, base: float, draw: Draw) -> Array:
    onset = draw.between(1, 6)
    draw.onset_hours = onset  # type: ignore[attr-defined]  # the truth of this series
    return shapes.ramp(hours, base * draw.log(0.02, 3), onset)


SHAPES: Mapping[str, Shape] = {
    "daily": _daily, "loading": _loading, "filling": _filling, "cache": _cache, "settling": _settling,
    "batches": _batches, "sawtooth": _sawtooth, "leak": _leak, "late leak": _late_leak,
}  # fmt: skip  # one table


def jobs() -> list[tuple[str, int]]:
    """Return the shape and the seed of each smooth series."""
    return [(name, seed) for name in SHAPES for seed in range(MORE_SEEDS.get(name, SEEDS))]


def smooth(name: str, seed: int) -> Judgements:
    """Return the judgements of a smooth series."""
    draw = Draw(7_000_000 + seed * 100 + [*SHAPES].index(name))
    hours = np.arange(0, draw.log(3, 26), STEP_HOURS)
    base = draw.log(60, 2000)
    jitter = draw.rng.normal(0, base * draw.log(1e-5, 3e-3), len(hours)) * draw.chance(0.5)
    sizes = np.maximum(base + SHAPES[name](hours, base, draw) + jitter, 1.0)
    points = [
        Point(round(hour * 3600, 3), int(size * MIB), restart=hour == 0)
        for hour, size in zip(hours.tolist(), sizes.tolist(), strict=True)
    ]
    onset = None if "leak" not in name else getattr(draw, "onset_hours", 0.0) * 3600
    return judgements(f"smooth {name} {seed}", f"smooth {name}", points, window_seconds=900.0, onset_seconds=onset,
                      bytes_per_hour=None)  # fmt: skip  # one call
