"""The judge names a version of Python whose incremental garbage collector frees cycles late."""

from __future__ import annotations

import pytest

from heap_exporter.detection.judge import Judge
from heap_exporter.model import (
    Accumulation,
    Cause,
    DetectorThresholds,
    Finding,
    FindingKind,
    Point,
    ReasonKind,
    RetainerPath,
    Step,
    StepKind,
    Verdict,
)
from heap_exporter.report.verdict_text import verdict_summary

THRESHOLDS = DetectorThresholds(window_seconds=900, growth_percent=2, min_slope_bytes_per_hour=8 << 20)
MIB = 1 << 20


def accumulation(root: StepKind) -> Accumulation:
    path = RetainerPath([Step(root), Step(StepKind.CLASS_ATTRIBUTE, "shop.Node", "next")])
    return Accumulation(
        fingerprint="0123456789ab", type_name="shop.Node", holder=RetainerPath(path[:1]), path=path,
        objects=90_000, bytes=9 * MIB, bytes_per_minute=None, share=0.9,
    )  # fmt: skip  # one value


def verdict(version: tuple[int, ...], root: StepKind, *, gc_enabled: int = 1) -> Verdict:
    """Return the last verdict on a process that grows for an hour, and then is found to accumulate below ``root``."""
    judge = Judge(THRESHOLDS, version)
    finding = Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS, accumulation(root))
    points = [
        Point(15.0 * number, (100 + number) * MIB, restart=number == 0, anonymous_bytes=(100 + number) * MIB,
              allocated_blocks=10**6 + 10**4 * number, gc_enabled=gc_enabled,
              finding=finding if number == 240 else None)
        for number in range(242)
    ]  # fmt: skip  # one value each
    return [judge.judge(point) for point in points][-1]


@pytest.mark.parametrize("version", [(3, 14, 0), (3, 14, 2), (3, 14, 4)])
def test_cycles_that_accumulate_under_an_incremental_collector_are_a_bug_of_python(version: tuple[int, ...]) -> None:
    found = verdict(version, StepKind.GARBAGE)

    assert ReasonKind.INCREMENTAL_COLLECTOR in [reason.kind for reason in found.reasons]
    assert verdict_summary(found).advice.startswith("Python 3.14.0 to 3.14.4 free reference cycles late")


@pytest.mark.parametrize(
    ("version", "root", "gc_enabled"),
    [
        ((3, 14, 5), StepKind.GARBAGE, 1),
        ((3, 13, 9), StepKind.GARBAGE, 1),
        ((3, 14, 2), StepKind.MODULES, 1),
        ((3, 14, 2), StepKind.GARBAGE, 0),
    ],
    ids=["fixed", "before", "held", "collector off"],
)
def test_without_the_symptom_no_bug_of_python_is_named(
    version: tuple[int, ...], root: StepKind, gc_enabled: int
) -> None:
    found = verdict(version, root, gc_enabled=gc_enabled)

    assert found.is_suspicion
    assert ReasonKind.INCREMENTAL_COLLECTOR not in [reason.kind for reason in found.reasons]
    assert "Python 3.14" not in verdict_summary(found).advice
