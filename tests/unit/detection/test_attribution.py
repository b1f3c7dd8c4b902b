"""The cause is derived from the fields that are known; with few of them it is less exact, and a reason says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from heap_exporter.detection.attribution import Attribution, attribute
from heap_exporter.model import Cause, Point, Reason, ReasonKind
from heap_exporter.report.reason_text import sentence

MIB = 1 << 20
STEADY = {
    "rss_bytes": 200 * MIB,
    "anonymous_bytes": 180 * MIB,
    "file_bytes": 20 * MIB,
    "shmem_bytes": 0,
    "swap_bytes": 0,
    "heap_bytes": 100 * MIB,
    "n_objects": 1_000_000,
    "allocated_blocks": 1_000_000,
    "gc_gen2_collections": 10,
    "malloc_used_bytes": 50 * MIB,
    "malloc_retained_bytes": 5 * MIB,
    "pymalloc_used_bytes": 80 * MIB,
    "pymalloc_retained_bytes": 10 * MIB,
}
"""A process at rest, to which a test adds its gains."""

FAST = ("rss_bytes", "anonymous_bytes", "swap_bytes", "file_bytes", "shmem_bytes", "allocated_blocks")
BASIC = ("rss_bytes", "heap_bytes", "allocated_blocks", "gc_gen2_collections", "n_objects")


def cause(
    gains: Mapping[str, float], known: tuple[str, ...] = tuple(STEADY), points: int = 60, every: int = 1
) -> Attribution:
    """Return the attribution of an even growth by ``gains``; points have the fields ``known``, and the slow ones among
    them in each ``every``-th point only."""

    def point(number: int) -> Point:
        values: dict[str, Any] = {
            name: round(value + gains.get(name, 0) * number / (points - 1))
            for name, value in STEADY.items()
            if name in known and (number % every == 0 or name in FAST)
        }
        values |= {name: value for name, value in gains.items() if name not in STEADY}
        return Point(t_seconds=1e9 + 15.0 * number, **values)

    return attribute([point(number) for number in range(points)])


SMALL = {"heap_bytes": 38 * MIB, "allocated_blocks": 600_000, "n_objects": 600_000, "pymalloc_used_bytes": 36 * MIB,
         "gc_gen2_collections": 3}  # fmt: skip  # in two lines
LARGE = {"heap_bytes": 40 * MIB, "allocated_blocks": 400, "n_objects": 400, "malloc_used_bytes": 40 * MIB}
TOTAL = {"rss_bytes": 40 * MIB, "anonymous_bytes": 40 * MIB}


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        (SMALL, Cause.PYTHON_OBJECTS),
        (LARGE, Cause.PYTHON_OBJECTS),
        ({"malloc_used_bytes": 40 * MIB}, Cause.NATIVE),
        ({}, Cause.NATIVE),
        ({"malloc_retained_bytes": 40 * MIB}, Cause.FRAGMENTATION),
        ({"malloc_used_bytes": -20 * MIB, "malloc_retained_bytes": 60 * MIB}, Cause.FRAGMENTATION),
        ({"pymalloc_retained_bytes": 38 * MIB, "allocated_blocks": 20_000}, Cause.FRAGMENTATION),
        ({"shmem_bytes": 40 * MIB, "anonymous_bytes": 0}, Cause.FILE_OR_SHARED),
        ({"file_bytes": 40 * MIB, "anonymous_bytes": 0}, Cause.FILE_OR_SHARED),
        ({"swap_bytes": 40 * MIB, "rss_bytes": 0, "anonymous_bytes": 0, **SMALL}, Cause.PYTHON_OBJECTS),
    ],
)
def test_the_part_that_explains_the_growth_names_the_cause(gains: dict[str, float], expected: Cause) -> None:
    assert cause({**TOTAL, **gains}).cause is expected
    assert cause({**TOTAL, **gains}, every=4).cause is expected


@pytest.mark.parametrize(
    ("known", "gains", "expected"),
    [
        (("rss_bytes",), {}, Cause.UNATTRIBUTED),
        (("rss_bytes", "malloc_used_bytes"), {"malloc_used_bytes": 40 * MIB}, Cause.UNATTRIBUTED),
        (("rss_bytes", "heap_bytes"), SMALL, Cause.PYTHON_OBJECTS),
        (("rss_bytes", "allocated_blocks"), SMALL, Cause.PYTHON_OBJECTS),
        (("rss_bytes", "n_objects"), SMALL, Cause.PYTHON_OBJECTS),
        (("rss_bytes", "allocated_blocks"), {}, Cause.NATIVE),
        (BASIC, SMALL, Cause.PYTHON_OBJECTS),
        (BASIC, LARGE, Cause.PYTHON_OBJECTS),
        (BASIC, {}, Cause.NATIVE),
        ((*BASIC, "malloc_used_bytes", "malloc_retained_bytes"), LARGE, Cause.PYTHON_OBJECTS),
    ],
)
def test_a_few_fields_are_enough_for_a_cause(known: tuple[str, ...], gains: dict[str, float], expected: Cause) -> None:
    assert cause({**TOTAL, **gains}, known).cause is expected


def test_the_reason_has_the_bytes_and_the_objects_of_the_largest_part() -> None:
    found = cause({**TOTAL, **SMALL})

    assert found.reasons[0].kind is ReasonKind.PYTHON_OBJECTS
    assert sentence(found.reasons[0]) == "Python objects (+600,000): +38.0 MiB, 95% of the growth of 40.0 MiB"


def test_the_reason_states_which_numbers_are_missing() -> None:
    assert cause(TOTAL, ("rss_bytes",)).reasons == (Reason(ReasonKind.PARTS_UNKNOWN),)


def test_growth_without_a_main_part_has_the_shares_of_its_causes() -> None:
    python = {"heap_bytes": 14 * MIB, "pymalloc_used_bytes": 14 * MIB}
    malloc = {"malloc_used_bytes": 13 * MIB, "malloc_retained_bytes": 13 * MIB}

    found = cause({**TOTAL, **python, **malloc})

    assert found.cause is Cause.UNATTRIBUTED
    assert found.reasons[0].values["shares"] == pytest.approx(
        {"python-objects": 0.35, "native": 0.325, "fragmentation": 0.325}
    )


@pytest.mark.parametrize(
    ("collector", "expected"),
    [
        ({"gc_enabled": 1, "gc_gen2_collections": 3}, Cause.PYTHON_OBJECTS),
        ({"gc_enabled": 1, "gc_gen2_collections": 0}, Cause.UNCOLLECTED_CYCLES),
        ({"gc_enabled": 0, "gc_gen2_collections": 0}, Cause.UNCOLLECTED_CYCLES),
        ({"gc_enabled": 0, "gc_gen2_collections": 3}, Cause.PYTHON_OBJECTS),
    ],
)
def test_objects_that_no_collection_has_visited_may_be_cycles(collector: dict[str, int], expected: Cause) -> None:
    assert cause({**TOTAL, **SMALL, **collector}).cause is expected


def test_too_few_objects_for_a_collection_are_not_counted_as_cycles() -> None:
    few = {
        "gc_gen2_collections": 0,
        "heap_bytes": 38 * MIB,
        "allocated_blocks": 90_000,
        "n_objects": 90_000,
        "pymalloc_used_bytes": 38 * MIB,
    }

    assert cause({**TOTAL, **few}).cause is Cause.PYTHON_OBJECTS


def test_pages_left_by_peaks_of_the_heap_are_fragmentation() -> None:
    peaks = [
        Point(
            t_seconds=15.0 * number,
            rss_bytes=(100 + number) * MIB,
            heap_bytes=(150 if number % 3 == 1 else 50) * MIB,
            allocated_blocks=1_500_000 if number % 3 == 1 else 500_000,
        )
        for number in range(60)
    ]

    assert attribute(peaks).cause is Cause.FRAGMENTATION


@pytest.mark.parametrize(
    "points", [[], [Point(0.0, 1)], [Point(0.0, 1), Point(0.0, 2)], [Point(0.0, 2), Point(9.0, 1)]]
)
def test_points_without_growth_have_no_cause(points: list[Point]) -> None:
    assert attribute(points) == Attribution(Cause.UNATTRIBUTED, (Reason(ReasonKind.DID_NOT_GROW),))
