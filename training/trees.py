"""Trains boosted trees on judgements, and writes them as the document that ``leak_model`` reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from heap_exporter.detection.features import FEATURES, NAMES
from heap_exporter.detection.leak_model import FORMAT
from training.dataset import Judgements

Array = NDArray[np.float64]

SEED = 16


def weights(series: Sequence[Judgements]) -> Array:
    """Return the weight of each judgement: all series weigh the same, and leaking ones as much as healthy ones."""
    of_class = {leaks: max(sum(one.leaks is leaks for one in series), 1) for leaks in (False, True)}
    return scaled([1 / of_class[one.leaks] for one in series], series)


def scaled(of_series: Sequence[float], series: Sequence[Judgements]) -> Array:
    """Return the weight of each judgement, from those of the series; on average 1."""
    whole = np.concatenate(
        [
            np.full(len(one.times), weight / max(len(one.times), 1))
            for weight, one in zip(of_series, series, strict=True)
        ]
    )
    found: Array = whole * len(whole) / whole.sum()
    return found


def train(
    series: Sequence[Judgements],
    *,
    trees: int = 300,
    leaves: int = 14,
    rate: float = 0.05,
    min_leaf: int = 80,
    l2: float = 5.0,
    max_features: float = 0.3,
) -> HistGradientBoostingClassifier:
    """Return trees that are trained on all judgements of some series."""
    classifier = HistGradientBoostingClassifier(
        max_iter=trees,
        max_leaf_nodes=leaves,
        learning_rate=rate,
        min_samples_leaf=min_leaf,
        l2_regularization=l2,
        max_features=max_features,
        monotonic_cst=[int(feature.increases) for feature in FEATURES],
        early_stopping=False,
        random_state=SEED,
    )
    features = np.concatenate([one.features for one in series])
    features[:, np.isnan(features).all(axis=0)] = 0.0  # scikit-learn refuses features that are never known
    labels = np.concatenate([one.labels for one in series])
    are_clear = np.concatenate([one.are_clear for one in series])
    return classifier.fit(features, labels, sample_weight=weights(series) * are_clear)


def document(classifier: HistGradientBoostingClassifier) -> dict[str, Any]:
    """Return the trees of a classifier as ``leak_model`` reads them, without calibration and thresholds."""
    trees: dict[str, list[Any]] = {name: [] for name in ("roots", "features", "limits", "right", "unknown", "values")}
    for (predictor,) in classifier._predictors:
        trees["roots"].append(len(trees["features"]))
        _append(trees, predictor.nodes, 0)
    return {
        "format": FORMAT,
        "features": list(NAMES),
        "baseline": _short(float(classifier._baseline_prediction.ravel()[0])),
        "trees": trees,
    }


def _append(trees: dict[str, list[Any]], nodes: Any, index: int) -> float:
    """Append a node and those below it in preorder; return the mean of its leaves."""
    node, place = nodes[index], len(trees["features"])
    is_leaf = bool(node["is_leaf"])
    trees["features"].append(-1 if is_leaf else int(node["feature_idx"]))
    trees["limits"].append(_short(float(node["value"] if is_leaf else node["num_threshold"])))
    trees["right"].append(0)
    trees["unknown"].append(0)
    trees["values"].append(trees["limits"][place])
    if is_leaf:
        return float(node["value"])
    left = _append(trees, nodes, int(node["left"]))
    right_place = len(trees["features"])
    right = _append(trees, nodes, int(node["right"]))
    counts = [float(nodes[int(node[side])]["count"]) for side in ("left", "right")]
    trees["right"][place] = right_place
    trees["unknown"][place] = place + 1 if node["missing_go_to_left"] else right_place
    mean = (left * counts[0] + right * counts[1]) / sum(counts)
    trees["values"][place] = _short(mean)
    return mean


def _short(value: float) -> float:
    return float(f"{value:.5g}") if np.isfinite(value) else (1e300 if value > 0 else -1e300)
