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
    (ReasonKind.WARMING_UP, {"seen_seconds": 370.0, "needed_seconds": 900.0}, "warming up: seen 6 of 15 minutes"),
    (ReasonKind.WARMING_UP, {"seen_seconds": 12.0, "needed_seconds": 40.0}, "warming up: seen 12 of 40 seconds"),
    (
        ReasonKind.GREW,
        {**GREW, "slope_bytes_per_second": 2099 * MIB / 3600},
        "+10.6 MiB in 17 s (+2,099 MiB/h)",
    ),
    (
        ReasonKind.GREW_TOO_LITTLE,
        {**GREW, "min_bytes": 20.0 * MIB},
        "+10.6 MiB in 17 s: growth counts from 20.0 MiB",
    ),
    (ReasonKind.GREW_UNSTEADILY, GREW, "+10.6 MiB in 17 s, but not steadily"),
    (
        ReasonKind.LOWS_RISE,
        {"share": 1.0, "noise_ratio": 87.6},
        "every later low is above the earlier ones (88 × the noise)",
    ),
    (ReasonKind.LOWS_RISE, {"share": 0.996, "noise_ratio": None}, "99% of the later lows are above earlier ones"),
    (ReasonKind.LAST_THIRD, {"slope_ratio": 0.98}, "the last third grew at 98% of that rate"),
    (
        ReasonKind.MEMORY_SLOPE,
        {"memory": "native", "slope_bytes_per_second": 34 * MIB / 3600},
        "malloc in use: +34.0 MiB/h",
    ),
    (ReasonKind.CONFIDENCE, {"confidence": 0.62}, "confidence 62%"),
    (
        ReasonKind.TIME_TO_CONFIRM,
        {"needed_seconds": 18_000.0},
        "straight growth like this counts as a leak after 5 h",
    ),
    (
        ReasonKind.TIME_TO_LIMIT,
        {"limit_bytes": 1 << 30, "seconds": 5400.0},
        "at this rate the memory limit of 1.0 GiB is reached in 90 min",
    ),
    (
        ReasonKind.ONLY_FILE_PAGES,
        {},
        "private memory does not grow: the growth is file pages, which the kernel can take back",
    ),
    (
        ReasonKind.TYPE_GREW,
        {"type_name": "shop.Session", "objects": 48_210, "gained_bytes": 61.0 * MIB},
        "growing type: shop.Session (+48,210 objects, +61.0 MiB)",
    ),
    (ReasonKind.DID_NOT_GROW, {}, "memory did not grow in this time"),
    (ReasonKind.FILE_PAGES, PART, f"pages of mapped files: {PART_TEXT}"),
    (ReasonKind.SHARED_MEMORY, PART, f"shared memory: {PART_TEXT}"),
    (ReasonKind.PYTHON_OBJECTS, {**PART, "objects": 600_000.0}, f"Python objects (+600,000): {PART_TEXT}"),
    (ReasonKind.PYTHON_OBJECTS, {**PART, "objects": None}, f"Python objects: {PART_TEXT}"),
    (
        ReasonKind.PYTHON_BLOCKS,
        {**PART, "blocks": 600_000.0},
        f"Python objects (600 k new memory blocks): about {PART_TEXT}",
    ),
    (ReasonKind.MALLOC_IN_USE, PART, f"malloc in use outside of Python objects: {PART_TEXT}"),
    (ReasonKind.MALLOC_FREE, PART, f"malloc free: {PART_TEXT}"),
    (
        ReasonKind.PYMALLOC_FREE,
        {**PART, "first_bytes_per_block": 104.2, "last_bytes_per_block": 180.0},
        f"pymalloc free (104 → 180 bytes of arenas per block): {PART_TEXT}",
    ),
    (
        ReasonKind.PYMALLOC_FREE,
        {**PART, "first_bytes_per_block": None, "last_bytes_per_block": None},
        f"pymalloc free: {PART_TEXT}",
    ),
    (ReasonKind.FREED_BY_PYTHON, PART, f"memory of freed Python objects that the process keeps: {PART_TEXT}"),
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
        "no part is half of the growth of 40.0 MiB: python-objects 35%, native 32%",
    ),
    (
        ReasonKind.MIXTURE,
        {"growth_bytes": 40.0 * MIB, "shares": {}},
        "no part is half of the growth of 40.0 MiB: no part grew",
    ),
    (
        ReasonKind.PYTHON_UNKNOWN,
        {},
        (
            "malloc in use grew, but its Python part is unknown: there is no census and no block count"
            " (PYTHONMALLOC=malloc has none)"
        ),
    ),
    (
        ReasonKind.PARTS_UNKNOWN,
        {},
        "only the size of the process is known: no census, no block count, no malloc numbers",
    ),
    (
        ReasonKind.IN_GARBAGE,
        {"objects": 812.0},
        "the garbage collector could not free 812 objects: they are in gc.garbage",
    ),
    (
        ReasonKind.STILL_REFERENCED,
        {"full_collections": 4.0},
        "4 full garbage collections did not free them: they are still referenced",
    ),
    (
        ReasonKind.STILL_REFERENCED,
        {"full_collections": 1.0},
        "1 full garbage collection did not free them: they are still referenced",
    ),
    (
        ReasonKind.NOT_COLLECTED,
        {"objects": 1_500_000.0},
        "no full garbage collection ran while 1.5 M objects were added",
    ),
    (ReasonKind.COLLECTOR_OFF, {}, "the garbage collector is off (gc.disable()): cycles are not freed"),
    (
        ReasonKind.COLLECTOR_OFF_NO_CYCLES,
        {},
        "the garbage collector is off, but the new objects cannot form cycles: they are still referenced",
    ),
]


@pytest.mark.parametrize(("kind", "values", "expected"), EXAMPLES, ids=[str(kind) for kind, _, _ in EXAMPLES])
def test_a_reason_is_one_sentence(kind: ReasonKind, values: dict[str, object], expected: str) -> None:
    assert sentence(Reason(kind, values)) == expected


def test_every_kind_of_reason_has_an_example() -> None:
    assert {kind for kind, _, _ in EXAMPLES} == {*ReasonKind}


@pytest.mark.parametrize("values", [{}, {"confidence": "high"}, {"confidence": 0.5, "more": 1}, {"confidence": None}])
def test_a_reason_with_values_of_another_version_is_left_out(values: dict[str, object]) -> None:
    verdict = Verdict(0.0, State.GROWING, (Reason(ReasonKind.CONFIDENCE, values), *KNOWN), 900.0)

    assert sentences(verdict) == ("memory did not grow in this time",)


KNOWN = (Reason(ReasonKind.DID_NOT_GROW),)


def test_the_finding_comes_first() -> None:
    finding = Finding(FindingKind.CLEARS_IN_FLIGHT)
    verdict = Verdict(0.0, State.GROWING, KNOWN, 900.0, finding=finding)

    assert sentences(verdict) == (finding_text(finding), "memory did not grow in this time")
    assert summary(verdict) == finding_text(finding)


def test_a_verdict_without_reasons_has_no_summary() -> None:
    assert summary(Verdict(0.0, State.STEADY, (), 900.0)) == ""
