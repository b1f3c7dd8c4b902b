"""A restart, a gap between samples, a jump of the clock or a column that disappears never leads to a confirmed leak."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heap_exporter.detection.detector import Detector
from heap_exporter.model import DetectorThresholds, Point, State

MIB = 1 << 20
WINDOW, INTERVAL = 900.0, 45.0
THRESHOLDS = DetectorThresholds(window_seconds=WINDOW, growth_percent=1.0, min_slope_bytes_per_hour=8 * MIB)
SAMPLES = int(4 * WINDOW / INTERVAL)
BEGIN = 1e6
MIN_SECONDS = WINDOW
"""No leak is confirmed sooner than this after an interruption, whatever memory does."""

Shape = Callable[[float], float]


class Interruption(NamedTuple):
    """What happens to the samples: time passes, a new process starts, columns are unknown from then on."""

    gap_seconds: float = INTERVAL
    restart: bool = False
    loses: Mapping[str, Any] = MappingProxyType({})


INTERRUPTIONS = {
    "a restart": Interruption(restart=True),
    "a gap": Interruption(gap_seconds=7200.0),
    "a clock that is set forward": Interruption(gap_seconds=30 * 86_400.0),
    "a clock that is set back": Interruption(gap_seconds=-86_400.0),
    "private memory is unknown": Interruption(loses={"anonymous_bytes": None}),
    "columns disappear": Interruption(loses={"heap_bytes": None, "allocated_blocks": None}),
}


def point(at: float, mib: float, *, restart: bool) -> Point:
    size = int(mib * MIB)
    return Point(
        at, size + 50 * MIB, anonymous_bytes=size, heap_bytes=size // 2, allocated_blocks=size // 64, restart=restart
    )


def states_after(interruption: Interruption, before: Shape, after: Shape) -> list[tuple[float, State]]:
    """Return the seconds since the interruption, and the state, of each sample after it; shapes are MiB by hours."""
    detector = Detector(THRESHOLDS)
    for sample in range(SAMPLES):
        at = sample * INTERVAL
        detector.observe(point(BEGIN + at, before(at / 3600), restart=sample == 0))
    at = BEGIN + (SAMPLES - 1) * INTERVAL + interruption.gap_seconds
    found = []
    for sample in range(SAMPLES):
        since = sample * INTERVAL
        now = point(at + since, after(since / 3600), restart=interruption.restart and sample == 0)
        verdict = detector.observe(now._replace(**interruption.loses))
        found.append((since, verdict.state))
    return found


EACH = pytest.mark.parametrize("interruption", INTERRUPTIONS.values(), ids=INTERRUPTIONS)


@EACH
@settings(max_examples=settings().max_examples // 8)  # each judges two hours
@given(after_mib=st.floats(20, 1000), seed=st.integers(0, 999))
def test_a_flat_process_that_has_another_size_afterwards_is_not_confirmed(
    interruption: Interruption, after_mib: float, seed: int
) -> None:
    rng = random.Random(seed)
    found = states_after(interruption, lambda _: 200 + rng.gauss(0, 0.5), lambda _: after_mib + rng.gauss(0, 0.5))

    assert State.CONFIRMED not in {state for _, state in found}


@EACH
@settings(max_examples=settings().max_examples // 8)  # each judges two hours
@given(per_hour=st.floats(60, 6000), after_mib=st.floats(20, 1000))
def test_a_growing_process_is_not_confirmed_at_once_afterwards(
    interruption: Interruption, per_hour: float, after_mib: float
) -> None:
    found = states_after(interruption, lambda _: 200.0, lambda hour: after_mib + per_hour * hour)

    assert [seconds for seconds, state in found if state is State.CONFIRMED and seconds < MIN_SECONDS] == []
