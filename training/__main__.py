"""Train the leak model: make the corpus, compute the features of its series, train, calibrate, and write the model.

    make train-detector
    make train-detector ARGS='--series 500 --output /tmp/model.json'

The same versions of numpy and scikit-learn write the same bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np

from heap_exporter.detection.leak_model import PATH, LeakModel
from heap_exporter.detection.state_machine import StateThresholds
from tests.corpus import made as kinds
from training import smooth
from training.calibration import calibration
from training.corpus import FAMILIES, Series, made_series, recorded, recording_is_kept
from training.dataset import Judgements, judgements, read_features, thinned
from training.trees import document, train

SEED = 1
SERIES = 5_000
KIND_SEEDS = range(6_000, 6_024)
"""Seeds of the kinds of ``tests/corpus`` that are trained on; the scores use seeds below 100."""

CALIBRATED_SHARE = 7
"""Every so many series is kept from the trees, to calibrate them."""

STATES = StateThresholds(suspected=0.4, not_suspected=0.17, confirmed=0.95, confirming_windows=0.5, more_each_time=1.2)

Job = tuple[str, int, int]


def of_series(series: Series) -> Judgements:
    """Return the judgements of a series of the corpus."""
    return judgements(
        series.name,
        series.family,
        thinned(series.points()),
        window_seconds=series.window_seconds,
        onset_seconds=series.onset_seconds,
        bytes_per_hour=series.bytes_per_hour,
        visible_seconds=series.visible_seconds,
        counts=series.counts,
    )


def of_kind(kind: str, seed: int) -> Judgements:
    """Return the judgements of one series of the corpus of the tests."""
    series = kinds.series(kind, seed)
    return judgements(
        f"{kind} {seed}",
        kind,
        list(series.points()),
        window_seconds=900.0,
        onset_seconds=None if series.onset_hours is None else series.onset_hours * 3600,
        bytes_per_hour=series.per_hour * (1 << 20),
    )


def _of_job(job: Job) -> Judgements:
    source, *rest = job
    if source == "smooth":
        return smooth.smooth([*smooth.SHAPES][rest[1]], rest[0])
    return of_series(made_series(*rest)) if source == "corpus" else of_kind(source, rest[0])


def dataset(series: int = SERIES, kind_seeds: Iterable[int] = KIND_SEEDS, processes: int = 2) -> list[Judgements]:
    """Return the judgements that the committed model is trained on."""
    jobs: list[Job] = [("corpus", SEED, index) for index in range(series)]
    jobs += [("smooth", seed, [*smooth.SHAPES].index(name)) for name, seed in smooth.jobs()]
    jobs += [(kind, seed, 0) for seed in kind_seeds for kind in (*kinds.LEAKING, *kinds.HEALTHY)]
    with Pool(processes) as pool:
        found = pool.map(_of_job, jobs, chunksize=8)
    found += [of_series(one) for one in recorded() if not recording_is_kept(one)]
    return [one for one in found if len(one.times)]


def model_document(series: Sequence[Judgements], **parameters: Any) -> dict[str, Any]:
    """Return the document of a model that is trained on these series, and calibrated on the made ones of them."""
    kept = list(series[CALIBRATED_SHARE - 1 :: CALIBRATED_SHARE])
    trained_on = [one for place, one in enumerate(series) if place % CALIBRATED_SHARE != CALIBRATED_SHARE - 1]
    found = document(train(trained_on, **parameters))
    found["states"] = STATES._asdict()
    found["calibration"] = [(-1.0, 0.0), (1.0, 1.0)]
    model = LeakModel(found)
    usual = [one for one in kept if one.family in FAMILIES] or kept
    scores = np.array([model.score(row) for one in usual for row in one.features.tolist()])
    found["calibration"] = calibration(usual, scores)
    return found


def text(found: dict[str, Any]) -> str:
    """Return a document as the committed file has it: one line for each member."""
    trees = ",\n".join(
        f'"{name}": {json.dumps(values, separators=(",", ":"))}' for name, values in found["trees"].items()
    )
    lines = [
        f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}"
        for name, value in found.items()
        if name != "trees"
    ]
    return "{\n" + ",\n".join([*lines, f'"trees": {{\n{trees}\n}}']) + "\n}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=SERIES, help="number of made series (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=PATH, help="the model file to write")
    parser.add_argument(
        "--features",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="output of `heap-exporter replay --features` with a column `leaks`: 1 in rows of a leak",
    )
    options = parser.parse_args()
    series = [*dataset(options.series), *(one for path in options.features for one in read_features(path))]
    options.output.write_text(text(model_document(series)))
    print(f"{options.output}: {len(series):,} series, {sum(len(one.times) for one in series):,} judgements")
    return 0


if __name__ == "__main__":
    sys.exit(main())
