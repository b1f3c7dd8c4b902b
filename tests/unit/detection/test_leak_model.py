"""The committed model has the features of this version; more growth never makes a leak less likely."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.detection.features import FEATURES, NAMES, GrowthFeatures
from heap_exporter.detection.leak_model import FORMAT, PATH, LeakModel, committed_model
from heap_exporter.detection.restarts import EarlierRuns
from heap_exporter.model import Point

MIB = 1 << 20
MAX_BYTES = 300 * 1024


def vector(seed: int, per_hour: float = 60.0, hours: float = 6.0) -> list[float]:
    """Return the features of a process that grows under noise."""
    rng = random.Random(seed)
    features = GrowthFeatures(0.0, 900.0, EarlierRuns())
    for step in range(int(hours * 240)):
        point = Point(15.0 * step, int((200 + per_hour * step / 240 + rng.gauss(0, 2)) * MIB))
        features.add(point, point.rss_bytes)
    return features.vector()


VECTORS = [
    vector(seed, per_hour, hours) for seed, per_hour, hours in ((1, 60, 6), (2, 0, 3), (3, 8, 20), (4, 900, 0.5))
]


def test_the_committed_model_is_small_and_has_the_features_and_the_format_of_this_version() -> None:
    document = json.loads(PATH.read_text())

    assert PATH.stat().st_size <= MAX_BYTES
    assert (document["format"], tuple(document["features"])) == (FORMAT, NAMES)


def test_a_model_of_other_features_is_refused() -> None:
    document = json.loads(PATH.read_text())
    document["features"] = document["features"][::-1]

    with pytest.raises(ValueError, match="make train-detector"):
        LeakModel(document)


def test_each_feature_has_a_name_of_its_own_and_a_unit() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(feature.unit for feature in FEATURES)
    assert {len(found) for found in VECTORS} == {len(NAMES)}


INCREASING = [place for place, feature in enumerate(FEATURES) if feature.increases]


@given(st.sampled_from(VECTORS), st.lists(st.sampled_from(INCREASING), min_size=1), st.floats(0, 1e6))
def test_growing_more_never_makes_a_leak_less_likely(found: list[float], places: list[int], more: float) -> None:
    model = committed_model()
    grown = [value + more if place in places else value for place, value in enumerate(found)]

    assert model.probability(grown) >= model.probability(found)


@given(st.lists(st.none() | st.floats(allow_nan=True), min_size=len(NAMES), max_size=len(NAMES)))
def test_any_features_have_a_probability(values: list[float | None]) -> None:
    assert 0 <= committed_model().probability([math.nan if value is None else value for value in values]) <= 1


@pytest.mark.parametrize("found", VECTORS)
def test_the_contributions_of_the_features_add_up_to_the_score(found: list[float]) -> None:
    model = committed_model()
    mean = model.score(found) - sum(model.contributions(found))

    assert mean == pytest.approx(model.score(VECTORS[0]) - sum(model.contributions(VECTORS[0])), abs=0.05)
