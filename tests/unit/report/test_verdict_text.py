from __future__ import annotations

import dataclasses

import pytest

from heap_exporter.model import (
    Accumulation,
    Cause,
    GrowingType,
    LeakPattern,
    MappingGrowth,
    Reason,
    ReasonKind,
    RetainerPath,
    State,
    Step,
    StepKind,
    Verdict,
)
from heap_exporter.model.paths import SYS_MODULES
from heap_exporter.report.advice_text import alert_advice
from heap_exporter.report.verdict_text import (
    HEADLINES,
    accumulation_summary,
    headline,
    verdict_document,
    verdict_summary,
)
from tests.examples.alerts import PROBLEM, PROBLEM_TEXT, bare_alert, full_alert
from tests.examples.readings import GREW, GREW_TEXT
from tests.heaps.steps import path

SESSIONS = Accumulation(
    type_name="shop.models.Session",
    holder=path("shop.sessions.SESSIONS"),
    path=path("shop.sessions.SESSIONS", "dict value"),
    fingerprint="5f1e2d3c4b5a6978",
    objects=48_210,
    bytes=11_114_905,
    bytes_per_minute=36_682_000.0,
    share=0.98,
    pattern=LeakPattern.UNBOUNDED_MAPPING,
)


def test_an_accumulation_is_three_lines() -> None:
    growth, holder, advice = accumulation_summary(SESSIONS)

    assert growth == "`Session` objects are accumulating: +10.6 MiB in 18 s (+2,099 MiB/h), +48,210 objects"
    assert holder == "Held by `shop.sessions.SESSIONS` → dict value → `Session`"
    assert advice.startswith("Entries are added and never removed: give the mapping a limit")
    assert advice.endswith("Start with the code that adds `Session` objects to `shop.sessions.SESSIONS`.")


def test_modules_that_accumulate_are_named_by_the_family_of_their_names() -> None:
    modules = dataclasses.replace(
        SESSIONS,
        type_name="module",
        holder=RetainerPath([SYS_MODULES]),
        path=RetainerPath([Step(StepKind.MODULE, "", "plugin_…")]),
        pattern=LeakPattern.RUN_TIME_MODULES,
    )

    growth, holder, advice = accumulation_summary(modules)

    assert growth.startswith("`module` objects are accumulating")
    assert holder == "Held by `sys.modules` → `plugin_…`"
    assert advice.startswith("Modules are put into sys.modules under new names")


def test_a_confirmed_leak_names_one_type_and_one_holder_in_all_lines() -> None:
    alert = full_alert("shop.models.Session")
    verdict = dataclasses.replace(alert.verdict, growing_types=(GrowingType("shop.models.Item", 9, 10**9),))

    growth, holder, advice = verdict_summary(verdict, alert)

    assert "`Session`" in growth
    assert "`Session`" in holder
    assert "`Session`" in advice
    assert "`shop.sessions.SESSIONS`" in holder
    assert "`shop.sessions.SESSIONS`" in advice
    assert "Item" not in growth + holder + advice


def test_objects_that_only_get_larger_are_not_counted() -> None:
    buffer = dataclasses.replace(SESSIONS, type_name="bytearray", objects=0, path=path("shop.log.BUFFER"), pattern=None)

    assert (
        accumulation_summary(buffer).growth
        == "`bytearray` objects are getting larger: +10.6 MiB in 18 s (+2,099 MiB/h)"
    )


def test_cycles_and_c_code_have_no_name_to_start_with() -> None:
    cycles = dataclasses.replace(SESSIONS, holder=path("garbage"), path=path("garbage", "Node.next"), pattern=None)
    foreign = dataclasses.replace(cycles, holder=path("held from outside"), path=path("held from outside"))

    assert accumulation_summary(cycles).holder == (
        "Held only by reference cycles that the garbage collector has not freed: `Node.next` → `Session`"
    )
    assert accumulation_summary(foreign).holder == "Held by C code, not by a Python object"
    assert "Start with" not in accumulation_summary(cycles).advice


def test_the_warm_up_counts_up() -> None:
    seen = Reason(ReasonKind.WARMING_UP, {"seen_seconds": 380.0, "needed_seconds": 900.0})

    assert verdict_summary(Verdict(0.0, State.WARMING_UP, (seen,), 900.0)).lines == ("6 of 15 minutes observed",)
    assert verdict_summary(None).lines == ("No samples yet",)


def test_a_suspicion_before_its_snapshots_names_the_growing_type_and_no_holder() -> None:
    verdict = Verdict(
        0.0,
        State.SUSPECTED,
        (GREW,),
        900.0,
        Cause.PYTHON_OBJECTS,
        growing_types=(GrowingType("shop.Session", 5, 4096),),
    )

    assert verdict_summary(verdict).growth == (
        f"`Session` objects are accumulating: +4.0 KiB, +5 objects; all memory: {GREW_TEXT}"
    )
    assert verdict_summary(verdict).holder == "The holder will be known once two snapshots have been compared"
    assert "heap-exporter report a.heap b.heap" in verdict_summary(verdict).advice


def test_an_alert_of_an_earlier_leak_is_not_shown_for_a_new_suspicion() -> None:
    verdict = dataclasses.replace(full_alert().verdict, state=State.SUSPECTED)

    assert "SESSIONS" not in str(verdict_summary(verdict, full_alert()))


def test_native_growth_names_the_mappings_that_grew() -> None:
    verdict = dataclasses.replace(full_alert().verdict, cause=Cause.NATIVE)
    alert = dataclasses.replace(
        full_alert(), verdict=verdict, accumulation=None, mappings=(MappingGrowth("heap", 0, 8 << 20),)
    )

    growth, holder, advice = verdict_summary(verdict, alert)

    assert growth == f"Native memory is growing: {GREW_TEXT}"
    assert holder == "Held by C code or memory mappings, not by Python objects; mappings that grew: `heap` (+8.0 MiB)"
    assert "memray" in advice


def test_a_leak_whose_snapshots_were_not_compared_states_the_reason_and_how_to_compare_them() -> None:
    alert = dataclasses.replace(full_alert(), accumulation=None, comparison_problem=PROBLEM)

    _, holder, advice = verdict_summary(alert.verdict, alert)

    assert holder == "The holder is not known: the two snapshots of the leak were not compared"
    assert advice == f"T{PROBLEM_TEXT[1:]}."
    assert alert_advice(alert) == advice


@pytest.mark.parametrize("state", [State.STEADY, State.PLATEAUED])
def test_a_process_without_a_leak_has_one_line(state: State) -> None:
    calm = Reason(ReasonKind.GREW_TOO_LITTLE, {"gained_bytes": 2048.0, "seconds": 900.0, "min_bytes": 1e6})

    assert verdict_summary(Verdict(0.0, state, (calm,), 900.0), full_alert()).lines == (
        "+2.0 KiB in 15 min (+0.01 MiB/h)",
    )


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("cause", [None, *Cause])
@pytest.mark.parametrize("alert", [None, bare_alert(), full_alert()])
def test_every_verdict_has_a_headline_and_a_first_line(state: State, cause: Cause | None, alert: object) -> None:
    verdict = Verdict(0.0, state, (), 900.0, cause)

    document = verdict_document(verdict, alert)  # type: ignore[arg-type]

    assert list(document) == ["headline", "growth", "holder", "advice"]
    assert document["headline"].startswith(HEADLINES[state])
    assert document["growth"]
    assert headline(None) == "Warming up"
