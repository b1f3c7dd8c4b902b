"""The finding of a comparison of two snapshots, from documents of ``report --json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from heap_exporter.heapfile.recorded_lost import group_member
from heap_exporter.investigation.findings import accumulations, interpret_report
from heap_exporter.model import CacheLimit, Cause, FindingKind, LostGroup, RetainerPath
from tests.doubles.lost_memory import lost_chunks, lost_objects
from tests.heaps.steps import path

MIB = 1 << 20


def members(steps: RetainerPath) -> list[dict[str, str]]:
    return [step._asdict() for step in steps]


def suspect(*steps: str, growth: int = 10 * MIB, share: float = 0.9, **others: Any) -> dict[str, Any]:
    return {
        "type_name": "shop.sessions.Session",
        "holder_steps": members(path(steps[0])),
        "steps": members(path(*steps)),
        "fingerprint": "0123456789ab",
        "objects": {"before": 100, "after": 400, "growth": 300},
        "total_bytes": {"before": 2 * growth, "after": 3 * growth, "growth": growth},
        "bytes_per_minute": growth / 5,
        "share": share,
        "pattern": "unbounded-mapping",
        "native_bytes": None,
        **others,
    }


def report(*suspects: dict[str, Any], gained: int = 11 * MIB, heavy: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {
        "before": {"shallow_bytes": 100 * MIB},
        "after": {"shallow_bytes": 100 * MIB + gained},
        "suspects": list(suspects),
        "paths": [
            {"steps": each["steps"], "objects": each["objects"], "total_bytes": each["total_bytes"]}
            for each in (*suspects, *heavy)
        ],
    }


SESSIONS = suspect("shop.sessions.SESSIONS", "dict value")
CACHE = suspect("shop.stock.lookup", "lru_cache entry")
LIMIT = CacheLimit("functools._lru_cache_wrapper", path("shop.stock.lookup")[0], 400, 1000)


def no_limit(_: object) -> None:
    return None


def test_growth_behind_one_holder_without_a_limit_confirms() -> None:
    finding, accumulation = interpret_report(report(SESSIONS), 12 * MIB, no_limit, None)

    assert finding is not None
    assert (finding.kind, finding.cause) == (FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS)
    assert finding.accumulation == accumulation
    assert accumulation is not None
    assert (accumulation.holder, accumulation.objects, accumulation.bytes) == (
        path("shop.sessions.SESSIONS"),
        300,
        10 * MIB,
    )


def test_garbage_that_accumulates_confirms_uncollected_cycles() -> None:
    finding, _ = interpret_report(report(suspect("garbage")), 12 * MIB, no_limit, None)

    assert finding is not None
    assert finding.cause is Cause.UNCOLLECTED_CYCLES


HANDLES = suspect("shop.TENANTS", "dict value", growth=MIB // 8, native_bytes=20 * MIB, objects={"growth": 40})


def test_handles_next_to_native_memory_confirm_a_leak_of_native_memory() -> None:
    finding, accumulation = interpret_report(report(HANDLES, gained=MIB // 8), 21 * MIB, no_limit, None)

    assert finding is not None
    assert (finding.kind, finding.cause) == (FindingKind.CONFIRMS_ACCUMULATION, Cause.NATIVE)
    assert accumulation is not None
    assert (accumulation.native_bytes, accumulation.all_bytes) == (20 * MIB, 20 * MIB + MIB // 8)


@pytest.mark.parametrize(
    ("max_bytes", "kind"),
    [(8 << 30, FindingKind.CLEARS_BOUNDED_CACHE), (100 * MIB, FindingKind.CONFIRMS_ACCUMULATION)],
)
def test_handles_in_a_pool_with_a_limit_are_cleared_unless_the_full_pool_has_too_much_native_memory(
    max_bytes: int, kind: FindingKind
) -> None:
    finding, _ = interpret_report(report(HANDLES, gained=MIB // 8), 21 * MIB, lambda _: LIMIT, max_bytes)

    assert finding is not None
    assert finding.kind is kind


def test_a_cache_below_its_limit_clears_the_suspicion() -> None:
    finding, _ = interpret_report(report(CACHE), 12 * MIB, lambda _: LIMIT, 8 << 30)

    assert finding is not None
    assert finding.kind is FindingKind.CLEARS_BOUNDED_CACHE
    assert finding.cache_limits == (LIMIT,)


def test_a_limit_beyond_the_memory_of_the_process_does_not_count() -> None:
    finding, _ = interpret_report(report(CACHE), 12 * MIB, lambda _: replace(LIMIT, max_entries=10_000_000), 8 << 30)

    assert finding is not None
    assert finding.confirms


def test_growth_that_many_places_share_confirms_the_first_of_them() -> None:
    fifths = [suspect(f"shop.STORE_{letter}", growth=2 * MIB, share=0.19) for letter in "ABCDE"]

    finding, accumulation = interpret_report(report(*fifths), 12 * MIB, no_limit, None)

    assert finding is not None
    assert finding.confirms
    assert accumulation is not None
    assert accumulation.holder == path("shop.STORE_A")


def test_a_leak_next_to_a_cache_confirms() -> None:
    both = report({**CACHE, "share": 0.6}, {**SESSIONS, "share": 0.35}, gained=20 * MIB)

    finding, accumulation = interpret_report(
        both, 20 * MIB, lambda steps: LIMIT if steps[0] == LIMIT.step else None, None
    )

    assert finding is not None
    assert finding.confirms
    assert accumulation is not None
    assert accumulation.holder == path("shop.sessions.SESSIONS")


@pytest.mark.parametrize(
    "steps",
    [
        ("thread worker-… › handle() › body",),
        ("thread worker-… › handle() › request", "Request.body"),
    ],
)
def test_local_variables_of_running_calls_are_in_flight(steps: tuple[str, ...]) -> None:
    finding, _ = interpret_report(report(suspect(*steps)), 12 * MIB, no_limit, None)

    assert finding is not None
    assert finding.kind is FindingKind.CLEARS_IN_FLIGHT
    assert finding.in_flight_types == ("shop.sessions.Session",)


def test_more_tasks_are_in_flight() -> None:
    tasks = suspect("event loop › task handle() › request", holder_steps=members(path("event loop")))

    finding, _ = interpret_report(report(tasks), 12 * MIB, no_limit, None)

    assert finding is not None
    assert finding.kind is FindingKind.CLEARS_IN_FLIGHT


@pytest.mark.parametrize(
    "steps",
    [
        ("thread MainThread › main() › seen", "list item"),
        ("event loop › task consumer() › seen", "list item"),
        ("event loop › task consumer() › state", "State.rows"),
        ("event loop › scheduled callback", "callback argument"),
        ("shop.WAITING", "set item", "task's coroutine", "coroutine local request"),
    ],
)
def test_the_contents_of_a_container_are_not_in_flight(steps: tuple[str, ...]) -> None:
    finding, _ = interpret_report(report(suspect(*steps)), 12 * MIB, no_limit, None)

    assert finding is not None
    assert finding.confirms


def test_where_nothing_accumulates_the_growth_was_in_flight() -> None:
    finding, accumulation = interpret_report(report(), 12 * MIB, no_limit, None)

    assert finding is not None
    assert finding.kind is FindingKind.CLEARS_IN_FLIGHT
    assert accumulation is None


def test_a_few_large_objects_outside_of_calls_are_not_work_in_flight() -> None:
    frame = suspect("shop.frames.FRAMES", "list item")

    assert interpret_report(report(heavy=[frame]), 12 * MIB, no_limit, None) == (None, None)


@pytest.mark.parametrize(("more", "kind"), [(0, None), (9, FindingKind.CLEARS_IN_FLIGHT)])
def test_large_objects_of_a_task_are_in_flight_only_with_more_tasks(more: int, kind: FindingKind | None) -> None:
    task = suspect("event loop › task consumer()", objects={"growth": more})
    frames = suspect("event loop › task consumer() › frames", "list item")

    finding, _ = interpret_report(report(heavy=[task, frames]), 12 * MIB, no_limit, None)

    assert (finding and finding.kind) == kind


def test_objects_that_moved_to_a_running_call_are_not_its_work() -> None:
    now = suspect("thread MainThread › tick() › self", "Meter.readings", growth=30 * MIB)
    before = suspect("event loop › scheduled callback", "Meter.readings", growth=-20 * MIB)

    finding, _ = interpret_report(report(gained=10 * MIB, heavy=[now]), 12 * MIB, no_limit, None)
    moved, _ = interpret_report(report(gained=10 * MIB, heavy=[now, before]), 12 * MIB, no_limit, None)

    assert finding is not None
    assert finding.kind is FindingKind.CLEARS_IN_FLIGHT
    assert moved is None


def test_growth_outside_of_python_objects_is_neither_confirmed_nor_cleared() -> None:
    assert interpret_report(report(gained=0), 50 * MIB, no_limit, None) == (None, None)
    finding, accumulation = interpret_report(
        report(suspect("shop.X", growth=MIB), gained=MIB), 50 * MIB, no_limit, None
    )
    assert finding is None
    assert accumulation is not None


def test_a_place_with_a_small_share_does_not_explain_a_suspicion() -> None:
    finding, _ = interpret_report(report(suspect("shop.X", growth=MIB, share=0.1)), 12 * MIB, no_limit, None)

    assert finding is not None
    assert finding.kind is FindingKind.CLEARS_IN_FLIGHT


def test_all_suspects_of_a_report_are_accumulations() -> None:
    found = accumulations(report(SESSIONS, CACHE))

    assert [each.holder for each in found] == [path("shop.sessions.SESSIONS"), path("shop.stock.lookup")]


@pytest.mark.parametrize(
    ("groups", "cause"),
    [
        ([lost_objects("bytes", 20_000)], Cause.LOST_REFERENCES),
        ([lost_chunks(3000, 750), lost_objects("bytes", 100)], Cause.LOST_NATIVE_MEMORY),
    ],
)
def test_memory_that_c_code_lost_confirms_a_leak(groups: list[LostGroup], cause: Cause) -> None:
    report = {"lost": list(map(group_member, groups))}

    finding, accumulation = interpret_report(report, 2 * MIB, lambda _: None, None)

    assert finding is not None
    assert (finding.kind, finding.cause) == (FindingKind.CONFIRMS_LOST_MEMORY, cause)
    assert finding.lost == tuple(groups)
    assert accumulation is None


@pytest.mark.parametrize("grown_bytes", [MIB, 100 * MIB], ids=["little was lost", "most of the growth is not lost"])
def test_lost_memory_that_does_not_explain_the_growth_confirms_nothing(grown_bytes: int) -> None:
    lost = lost_objects("bytes", 1000 if grown_bytes == MIB else 20_000)
    report = {
        "lost": [group_member(lost)], "suspects": [], "paths": [],
        "before": {"shallow_bytes": 0}, "after": {"shallow_bytes": 0},
    }  # fmt: skip  # one reading

    assert interpret_report(report, grown_bytes, lambda _: None, None) == (None, None)
