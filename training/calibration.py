"""Turns the scores of trees into probabilities, on series that the trees were not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from training.corpus import share_of
from training.dataset import Judgements
from training.trees import scaled

Array = NDArray[np.float64]

POINTS = 24
"""Points between which a probability is interpolated."""

LEAST = 0.002
"""The smallest probability, and one minus the largest."""


def calibration(series: Sequence[Judgements], scores: Array) -> list[tuple[float, float]]:
    """Return points (score, probability) that rise with the score: smoothed isotonic regression.

    A probability depends on how often a shape is met, so the series weigh as much as their families are frequent.
    """
    labels = np.concatenate([one.labels for one in series])
    of_judgement = scaled([share_of(one.family) for one in series], series)
    fitted = IsotonicRegression(y_min=LEAST, y_max=1 - LEAST, out_of_bounds="clip").fit(scores, labels, of_judgement)
    low, high = np.quantile(scores, (0.01, 0.99))
    places = np.linspace(low, high, 4 * POINTS + 1).round(3)
    values = fitted.predict(places)
    smooth = np.convolve(np.pad(values, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    found = [(float(places[at]), float(round(smooth[at], 4))) for at in range(0, len(places), 4)]
    found.append((float(places[-1]), float(round(smooth[-1], 4))))
    return [point for place, point in enumerate(found) if place == 0 or point[0] > found[place - 1][0]]
