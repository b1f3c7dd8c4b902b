"""The reasons for a leak are few: those of the features that moved the probability most."""

from __future__ import annotations

from heap_exporter.detection.features import NAMES
from heap_exporter.detection.reasons import MAX_REASONS, of_contributions, with_reason
from heap_exporter.detection.restarts import NO_RUNS, RunSummary
from heap_exporter.detection.trend import fit_trend
from heap_exporter.detection.windows import Growth
from heap_exporter.model import Cause, Finding, FindingKind, Reason, ReasonKind, State, Verdict
from heap_exporter.report.reason_text import sentences

MIB = 1 << 20
TWO_RUNS = NO_RUNS._replace(ended=2, judged=2, slope=1.5 * MIB)
MANY = tuple(Reason(ReasonKind.LAST_THIRD, {"slope_ratio": at / 10}) for at in range(MAX_REASONS))
NAMED = Reason(ReasonKind.TYPE_GREW, {"type_name": "shop.Session", "objects": 5, "gained_bytes": MIB})


def kinds(moved: dict[str, float], earlier: RunSummary = TWO_RUNS) -> list[ReasonKind]:
    """Return the kinds of the reasons where these features, by name, moved the probability."""
    trend = fit_trend([(float(at), float(at * MIB)) for at in range(16)])
    assert trend is not None
    growth = Growth(1.0, trend, 900.0, highest_before=0.0)
    return [reason.kind for reason in of_contributions([moved.get(name, 0.0) for name in NAMES], growth, earlier)]


def test_the_features_that_moved_the_probability_most_are_the_reasons_strongest_first() -> None:
    moved = {"tail_1w": 0.2, "tau_1w": 0.3, "earlier_slope": 0.9, "new_4w": 0.1}

    assert kinds(moved) == [ReasonKind.EARLIER_RUNS, ReasonKind.LOWS_RISE]


def test_features_of_one_kind_count_together() -> None:
    assert kinds({"tail_1w": 0.5, "tau_1w": 0.3, "noises_4w": 0.3}) == [ReasonKind.LOWS_RISE, ReasonKind.LAST_THIRD]


def test_a_feature_that_speaks_against_a_leak_is_no_reason() -> None:
    assert kinds({"tail_1w": -0.5, "tau_1w": 0.3}) == [ReasonKind.LOWS_RISE]


def test_without_earlier_runs_these_are_no_reason() -> None:
    assert kinds({"earlier_count": 0.9}, NO_RUNS) == []


def test_a_verdict_has_five_sentences_at_most_and_a_reason_that_is_added_is_one_of_them() -> None:
    finding = Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.NATIVE)
    found = with_reason(Verdict(0.0, State.CONFIRMED, MANY, 900.0, finding=finding), NAMED)

    assert found.reasons == (*MANY[:3], NAMED)
    assert len(sentences(found)) == MAX_REASONS
