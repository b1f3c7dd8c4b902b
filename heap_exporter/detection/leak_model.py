"""The learned model: boosted trees that turn the features of a growth into the probability that it is a leak.

The trees are data in ``leak_model.json``, which ``make train-detector`` writes and this module reads when it is first
asked. A tree is stored in preorder: the left child of a node follows it. Features are compared as they are; one that
is unknown (NaN) goes to the side that training chose for it.
"""

from __future__ import annotations

import functools
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heap_exporter.detection.features import NAMES
from heap_exporter.detection.state_machine import StateThresholds
from heap_exporter.runtime.json_input import parse_json

FORMAT = 1
PATH = Path(__file__).with_name("leak_model.json")


class LeakModel:
    """The trees of a model file as arrays, its calibration, and the thresholds of the states.

    Raises ``ValueError`` if the file was made for other features.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        if document["format"] != FORMAT or tuple(document["features"]) != NAMES:
            raise ValueError("the leak model was trained with other features; run `make train-detector`")
        trees = document["trees"]
        self._roots = array("H", trees["roots"])
        self._features = array("h", trees["features"])
        self._limits = array("d", trees["limits"])
        self._right = array("H", trees["right"])
        self._unknown = array("H", trees["unknown"])
        self._values = array("d", trees["values"])
        self._baseline = float(document["baseline"])
        self._scores = [float(score) for score, _ in document["calibration"]]
        self._probabilities = [float(probability) for _, probability in document["calibration"]]
        self.states = StateThresholds(**document["states"])

    def probability(self, vector: Sequence[float]) -> float:
        """Return the probability of a leak, 0 to 1, for features in the order of :data:`NAMES`."""
        return self.calibrated(self.score(vector))

    def score(self, vector: Sequence[float]) -> float:
        """Return the sum of the leaves that the features lead to: the log odds of a leak before calibration."""
        features, limits, right, unknown = self._features, self._limits, self._right, self._unknown
        total = self._baseline
        for node in self._roots:
            feature = features[node]
            while feature >= 0:
                value = vector[feature]
                if value <= limits[node]:
                    node += 1  # noqa: PLW2901
                elif value > limits[node]:
                    node = right[node]  # noqa: PLW2901
                else:
                    node = unknown[node]  # noqa: PLW2901
                feature = features[node]
            total += limits[node]
        return total

    def contributions(self, vector: Sequence[float]) -> list[float]:
        """Return by how much each feature moves the score, from the mean of a tree to the leaf it leads to."""
        found, values = [0.0] * len(NAMES), self._values
        for root in self._roots:
            node = root
            while (feature := self._features[node]) >= 0:
                value = vector[feature]
                if value <= self._limits[node]:
                    child = node + 1
                else:
                    child = self._right[node] if value > self._limits[node] else self._unknown[node]
                found[feature] += values[child] - values[node]
                node = child
        return found

    def calibrated(self, score: float) -> float:
        """Return the probability that a score stands for, interpolated between the points of the calibration."""
        scores, probabilities = self._scores, self._probabilities
        place = bisect_right(scores, score)
        if place == 0:
            return probabilities[0]
        if place == len(scores):
            return probabilities[-1]
        share = (score - scores[place - 1]) / (scores[place] - scores[place - 1])
        return probabilities[place - 1] + share * (probabilities[place] - probabilities[place - 1])


@functools.cache
def committed_model() -> LeakModel:
    """Return the leak model of this version; the file is read once."""
    return LeakModel(parse_json(PATH.read_bytes()))
