"""Training writes a model that the detector can read: the same one each time, with the features of this version."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

pytest.importorskip("sklearn")

from heap_exporter.detection.features import NAMES
from heap_exporter.detection.leak_model import FORMAT, PATH, LeakModel
from training.__main__ import model_document, of_kind, text
from training.dataset import Judgements

TREES = {"trees": 4, "leaves": 4, "min_leaf": 5}


@pytest.fixture(scope="module")
def series() -> Sequence[Judgements]:
    kinds = ("leak", "leak, bent", "flat", "cache, quick")
    return [of_kind(kind, seed) for seed in (7001, 7002, 7003) for kind in kinds]


@pytest.fixture(scope="module")
def tiny(series: Sequence[Judgements]) -> str:
    return text(model_document(series, **TREES))


def test_the_same_series_make_the_same_bytes(series: Sequence[Judgements], tiny: str) -> None:
    assert text(model_document(series, **TREES)) == tiny


def test_a_tiny_model_has_the_features_and_the_format_of_the_committed_one(tiny: str) -> None:
    made, committed = json.loads(tiny), json.loads(PATH.read_text())

    assert (made["format"], made["features"]) == (FORMAT, list(NAMES))
    assert (committed["format"], committed["features"]) == (made["format"], made["features"])
    assert set(made) == set(committed)


def test_the_detector_reads_a_tiny_model(series: Sequence[Judgements], tiny: str) -> None:
    model = LeakModel(json.loads(tiny))

    assert all(0 <= model.probability(row) <= 1 for one in series for row in one.features[:5].tolist())


def test_rows_of_a_leak_that_cannot_be_seen_yet_are_not_trained_on(series: Sequence[Judgements]) -> None:
    leak = next(one for one in series if one.leaks)
    middle = float(leak.times[len(leak.times) // 2])
    late = replace(leak, visible_seconds=middle)

    assert late.are_clear[late.times >= middle].all()
    assert not late.are_clear[(late.labels == 1) & (late.times < middle)].any()
    assert leak.are_clear.all()
