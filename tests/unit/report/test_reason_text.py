"""Each reason for a verdict becomes one sentence."""

import pytest

from heap_exporter.model import Finding, FindingKind, Reason, ReasonKind, State, Verdict
from heap_exporter.report.finding_text import finding_text
from heap_exporter.report.reason_text import sentence, sentences, summary

MIB = 2**20
GREW: dict[str, object] = {"gained_bytes": 10.6 * MIB, "seconds": 17.0}
PART: dict[str, object] = {"gained_bytes": 38.0 * MIB, "growth_bytes": 40.0 * MIB}
PART_TEXT = "+38.0 MiB, 95% of the growth of 40.0 MiB"

EXAMPLES: list[tuple[ReasonKind, dict[str, object], str]] = [
    (ReasonKind.WARMING_UP, {"seen_seconds": 370.0, "needed_seconds": 900.0}, "warming up: 6 of 15 minutes observed"),
    (ReasonKind.WARMING_UP, {"seen_seconds": 12.0, "needed_seconds": 40.0}, "warming up: 12 of 40 seconds observed"),
    (
        ReasonKind.GREW,
        {**GREW, "slope_bytes_per_second": 2099 * MIB / 3600},
        "+10.6 MiB in 17 s (+2,099 MiB/h)",
    ),
    (
        ReasonKind.GREW_TOO_LITTLE,
        {**GREW, "min_bytes": 20.0 * MIB},
        "+10.6 MiB in 17 s, below the minimum of 20.0 MiB",
    ),
    (ReasonKind.GREW_UNSTEADILY, GREW, "+10.6 MiB in 17 s, but not steadily"),
    (
        ReasonKind.LOWS_RISE,
        {"share": 1.0, "noise_ratio": 87.6},
        "each low point of memory use is above the earlier ones (88 × the noise)",
    ),
    (
        ReasonKind.LOWS_RISE,
        {"share": 0.996, "noise_ratio": None},
        "99% of the low points of memory use are above the earlier ones",
    ),
    (
        ReasonKind.LAST_THIRD,
        {"slope_ratio": 0.98},
        "in the last third of that period, memory grew at 98% of the average rate",
    ),
    (ReasonKind.NEW_HEIGHT, {"above_bytes": 34.0 * MIB}, "memory is 34.0 MiB above all of its earlier heights"),
    (
        ReasonKind.EARLIER_RUNS,
        {"runs": 2, "slope_bytes_per_second": 34 * MIB / 3600},
        "2 process runs before this one grew too (+34.0 MiB/h)",
    ),
    (
        ReasonKind.EARLIER_RUNS,
        {"runs": 1, "slope_bytes_per_second": 34 * MIB / 3600},
        "the process run before this one grew too (+34.0 MiB/h)",
    ),
    (
        ReasonKind.TIME_TO_LIMIT,
        {"limit_bytes": 1 << 30, "seconds": 5400.0},
        "at this rate, memory will reach its limit of 1.0 GiB in 90 min",
    ),
    (
        ReasonKind.ONLY_FILE_PAGES,
        {},
        "private memory is not growing: the growth is in pages of mapped files, which the kernel can reclaim",
    ),
    (
        ReasonKind.TYPE_GREW,
        {"type_name": "shop.Session", "objects": 48_210, "gained_bytes": 61.0 * MIB},
        "growing type: shop.Session (+48,210 objects, +61.0 MiB)",
    ),
    (ReasonKind.DID_NOT_GROW, {}, "memory did not grow during the observation period"),
    (ReasonKind.FILE_PAGES, PART, f"pages of mapped files: {PART_TEXT}"),
    (ReasonKind.SHARED_MEMORY, PART, f"shared memory: {PART_TEXT}"),
    (ReasonKind.PYTHON_OBJECTS, {**PART, "objects": 600_000.0}, f"Python objects (+600,000): {PART_TEXT}"),
    (ReasonKind.PYTHON_OBJECTS, {**PART, "objects": None}, f"Python objects: {PART_TEXT}"),
    (
        ReasonKind.PYTHON_BLOCKS,
        {**PART, "blocks": 600_000.0},
        f"Python objects (600 k new memory blocks): about {PART_TEXT}",
    ),
    (ReasonKind.MALLOC_IN_USE, PART, f"memory in use in malloc outside of Python objects: {PART_TEXT}"),
    (ReasonKind.MALLOC_FREE, PART, f"free memory in malloc: {PART_TEXT}"),
    (
        ReasonKind.PYMALLOC_FREE,
        {**PART, "first_bytes_per_block": 104.2, "last_bytes_per_block": 180.0},
        f"free memory in pymalloc (104 → 180 bytes of arenas per block): {PART_TEXT}",
    ),
    (
        ReasonKind.PYMALLOC_FREE,
        {**PART, "first_bytes_per_block": None, "last_bytes_per_block": None},
        f"free memory in pymalloc: {PART_TEXT}",
    ),
    (
        ReasonKind.FREED_BY_PYTHON,
        PART,
        f"memory of freed Python objects that was not returned to the system: {PART_TEXT}",
    ),
    (ReasonKind.NOT_PYTHON, PART, f"memory outside of Python objects: {PART_TEXT}"),
    (
        ReasonKind.MAPPINGS,
        {"gained_bytes": 41.0 * MIB, "growth_bytes": 40.0 * MIB},
        (
            "anonymous mappings outside of malloc and pymalloc (mmap, thread stacks): "
            "+41.0 MiB, more than the growth of 40.0 MiB"
        ),
    ),
    (
        ReasonKind.MIXTURE,
        {"growth_bytes": 40.0 * MIB, "shares": {"python-objects": 0.35, "native": 0.32}},
        "no single kind of memory accounts for half of the growth of 40.0 MiB: python-objects 35%, native 32%",
    ),
    (
        ReasonKind.MIXTURE,
        {"growth_bytes": 40.0 * MIB, "shares": {}},
        "no single kind of memory accounts for half of the growth of 40.0 MiB",
    ),
    (
        ReasonKind.PYTHON_UNKNOWN,
        {},
        (
            "memory in use in malloc grew, but the share of Python objects is unknown: there is no census (count of all"
            " objects by type) and no count of memory blocks (unavailable with PYTHONMALLOC=malloc)"
        ),
    ),
    (
        ReasonKind.PARTS_UNKNOWN,
        {},
        "only the size of the process is known: Python objects, memory blocks and malloc could not be measured",
    ),
    (
        ReasonKind.INTERNED_STRINGS,
        {"objects": 20_000.0},
        "20,000 more strings are interned, and this version of Python never frees interned strings",
    ),
    (
        ReasonKind.INCREMENTAL_COLLECTOR,
        {},
        "this version of Python has an incremental garbage collector, which frees reference cycles late",
    ),
    (
        ReasonKind.IN_GARBAGE,
        {"objects": 812.0},
        "the garbage collector could not free 812 objects: they are in gc.garbage",
    ),
    (
        ReasonKind.STILL_REFERENCED,
        {"full_collections": 4.0},
        "4 full garbage collections did not free the new objects: they are still referenced",
    ),
    (
        ReasonKind.STILL_REFERENCED,
        {"full_collections": 1.0},
        "1 full garbage collection did not free the new objects: they are still referenced",
    ),
    (
        ReasonKind.NOT_COLLECTED,
        {"objects": 1_500_000.0},
        "no full garbage collection ran while 1.5 M objects were added",
    ),
    (ReasonKind.COLLECTOR_OFF, {}, "the garbage collector is off (gc.disable()): reference cycles are not freed"),
    (
        ReasonKind.COLLECTOR_OFF_NO_CYCLES,
        {},
        "the garbage collector is off, but the new objects cannot form reference cycles: they are still referenced",
    ),
]


@pytest.mark.parametrize(("kind", "values", "expected"), EXAMPLES, ids=[str(kind) for kind, _, _ in EXAMPLES])
def test_a_reason_is_one_sentence(kind: ReasonKind, values: dict[str, object], expected: str) -> None:
    assert sentence(Reason(kind, values)) == expected


def test_every_kind_of_reason_has_an_example() -> None:
    assert {kind for kind, _, _ in EXAMPLES} == {*ReasonKind}


@pytest.mark.parametrize(
    "values", [{}, {"slope_ratio": "high"}, {"slope_ratio": 0.5, "more": 1}, {"slope_ratio": None}]
)
def test_a_reason_with_values_of_another_version_is_left_out(values: dict[str, object]) -> None:
    verdict = Verdict(0.0, State.GROWING, (Reason(ReasonKind.LAST_THIRD, values), *KNOWN), 900.0)

    assert sentences(verdict) == ("memory did not grow during the observation period",)


KNOWN = (Reason(ReasonKind.DID_NOT_GROW),)


def test_the_finding_comes_first() -> None:
    finding = Finding(FindingKind.CLEARS_IN_FLIGHT)
    verdict = Verdict(0.0, State.GROWING, KNOWN, 900.0, finding=finding)

    assert sentences(verdict) == (finding_text(finding), "memory did not grow during the observation period")
    assert summary(verdict) == finding_text(finding)


def test_a_verdict_without_reasons_has_no_summary() -> None:
    assert summary(Verdict(0.0, State.STEADY, (), 900.0)) == ""
