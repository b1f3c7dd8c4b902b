"""Scores the trees on families that they were not trained on: ``python -m training.left_out`` (half an hour).

The families of the corpus are in folds; for each fold a smaller model is trained on the others, and judges the series
of the fold by the rule of the state machine, at the times at which training judges. Leaks whose shape cannot be known
do not count. The exit code is 1 below the target.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from heap_exporter.detection.leak_model import LeakModel
from training.__main__ import STATES, dataset, model_document
from training.corpus import FOLDS, families, fold_of
from training.dataset import Judgements

MIN_F1 = 0.80
SERIES = 2_500
TREES = {"trees": 150, "leaves": 12}


def is_confirmed(one: Judgements, model: LeakModel) -> bool:
    """Return whether a probability stays high for two judgements in a row, in a run of at least one window."""
    high = 0
    for row in one.features.tolist():
        high = high + 1 if model.probability(row) >= STATES.confirmed else 0
        if high == 2:
            return True
    return False


def f1(series: Sequence[Judgements], confirmed: Sequence[bool]) -> float:
    """Return the harmonic mean of precision and recall."""
    right = sum(found and one.leaks for one, found in zip(series, confirmed, strict=True))
    return 2 * right / max(sum(confirmed) + sum(one.leaks for one in series), 1)


def main() -> int:
    """Print the F1 of each fold, and of all."""
    all_series = [one for one in dataset(SERIES, kind_seeds=()) if one.family in families()]
    judged: list[Judgements] = []
    confirmed: list[bool] = []
    for fold in FOLDS:
        inside = [one for one in all_series if fold_of(one.family) == fold and one.counts]
        model = LeakModel(model_document([one for one in all_series if fold_of(one.family) != fold], **TREES))
        found = [is_confirmed(one, model) for one in inside]
        print(f"fold {fold}: F1 {f1(inside, found):.2f} on {', '.join(sorted({one.family for one in inside}))}")
        judged += inside
        confirmed += found
    whole = f1(judged, confirmed)
    print(f"{'met   ' if whole >= MIN_F1 else 'MISSED'} leave-one-family-out: F1 at least {MIN_F1}: {whole:.2f}")
    return 0 if whole >= MIN_F1 else 1


if __name__ == "__main__":
    sys.exit(main())
