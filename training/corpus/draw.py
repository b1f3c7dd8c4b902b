"""Random numbers of one series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from training.corpus.series import Array

T = TypeVar("T")


class Draw:
    """Draws the random numbers of one series: the same for a seed and an index, whatever was drawn before."""

    def __init__(self, seed: int, index: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.rng.random())

    def log(self, low: float, high: float) -> float:
        """Return a number whose logarithm is uniform in the range."""
        return math.exp(self.between(math.log(low), math.log(high)))

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        return float(self.rng.random()) < share

    def one_of(self, values: Sequence[T]) -> T:
        return values[int(self.rng.integers(len(values)))]

    def some_of(self, values: Sequence[T], count: int) -> list[T]:
        """Return different values, in a random order."""
        return [values[place] for place in self.rng.permutation(len(values))[:count]]

    def spread(self, sigma: float, count: int) -> Array:
        """Return factors with the median 1 whose logarithms have the standard deviation ``sigma``."""
        return np.exp(sigma * self.rng.standard_normal(count))
