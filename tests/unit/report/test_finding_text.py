"""Findings and verdicts as sentences."""

from __future__ import annotations

import pytest

from heap_exporter.analysis.results import NewGroup
from heap_exporter.model import CacheLimit, Finding, FindingKind, SettledHolder, Step, StepKind
from heap_exporter.report.finding_text import comparison_text, finding_text, percent, suspect_text
from heap_exporter.report.path_text import code
from tests.doubles.lost_memory import lost_objects
from tests.examples.alerts import full_alert
from tests.heaps import trees
from tests.heaps.steps import path, step


def test_a_suspect_is_one_sentence() -> None:
    assert suspect_text(trees.suspect()) == (
        "`shop.sessions.SESSIONS` gained 48,210 `Session` objects, +19.5 MiB in 15 min (+78.0 MiB/h), "
        "98 % of the growth"
    )


def test_without_times_there_is_no_rate() -> None:
    assert suspect_text(trees.suspect(bytes_per_minute=None)) == (
        "`shop.sessions.SESSIONS` gained 48,210 `Session` objects, +19.5 MiB, 98 % of the growth"
    )


def test_a_backtick_in_a_name_does_not_end_the_name() -> None:
    assert code("a`b`c") == "`a'b'c`"


@pytest.mark.parametrize(("share", "text"), [(0.98, "98 %"), (0.0, "0 %"), (0.001, "< 1 %"), (1.0, "100 %")])
def test_shares_are_percentages(share: float, text: str) -> None:
    assert percent(share) == text


CACHE = CacheLimit("functools._lru_cache_wrapper", step("shop.stock.lookup"), 400, 1000)
SETTLED = SettledHolder("functools._lru_cache_wrapper", step("shop.stock.lookup"), 400, 1000)
NAMELESS = CacheLimit("shop.LRUCache", Step(StepKind.DICT_VALUE, "dict"), 4, 70)


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (
            Finding(FindingKind.CLEARS_BOUNDED_CACHE, cache_limits=(CACHE,)),
            "a cache is filling up: shop.stock.lookup has 400 of at most 1,000 entries",
        ),
        (
            Finding(FindingKind.CLEARS_BOUNDED_CACHE, cache_limits=(NAMELESS,)),
            "a cache is filling up: LRUCache (dict value) has 4 of at most 70 entries",
        ),
        (
            Finding(FindingKind.CLEARS_SETTLED_HOLDER, settled_holder=SETTLED),
            "shop.stock.lookup has 400 entries and had 1,000 before: it is not the cause of the growth",
        ),
        (
            Finding(FindingKind.CLEARS_IN_FLIGHT),
            "two snapshots show no place where objects accumulate: the growth is work in progress",
        ),
        (
            Finding(FindingKind.CLEARS_IN_FLIGHT, cache_limits=(CACHE,), in_flight_types=("bytes",)),
            (
                "a cache is filling up: shop.stock.lookup has 400 of at most 1,000 entries; "
                "running calls hold bytes: the growth is work in progress"
            ),
        ),
        (
            Finding(FindingKind.CONFIRMS_ACCUMULATION, accumulation=full_alert().accumulation),
            (
                "`shop.sessions.SESSIONS` gained 48,210 `Session` objects, +58.2 MiB in 15 min (+233 MiB/h), "
                "93 % of the growth"
            ),
        ),
        (
            Finding(FindingKind.CONFIRMS_LOST_MEMORY, lost=(lost_objects("bytes", 39_476),)),
            "C code lost 39,476 `bytes`: 2.4 MiB in all, to which no pointer leads",
        ),
    ],
)
def test_a_finding_is_a_sentence(finding: Finding, text: str) -> None:
    assert finding_text(finding) == text


@pytest.mark.parametrize("kind", FindingKind)
def test_a_finding_from_a_recording_has_a_sentence_too(kind: FindingKind) -> None:
    assert finding_text(Finding(kind))


def test_the_verdict_names_the_first_suspect_and_counts_the_others() -> None:
    before, after = trees.heap(trees.shop(10)), trees.heap(trees.shop(20))

    one, two = (comparison_text(trees.diff(before, after, [trees.suspect()] * count)) for count in (1, 2))

    assert one == "shop.Session accumulates in shop.sessions.SESSIONS"
    assert two == "shop.Session accumulates in shop.sessions.SESSIONS; 1 more suspect"


def test_the_verdict_names_a_large_new_group() -> None:
    before, after = trees.heap(trees.shop(10)), trees.heap(trees.shop(20))
    found = trees.diff(before, after, new_group=NewGroup(path("shop.Store._cache"), 5 << 20))

    assert comparison_text(found) == (
        "no leak suspect found, but 5.0 MiB is new in shop.Store._cache; "
        "a third snapshot will show whether it continues to grow"
    )
