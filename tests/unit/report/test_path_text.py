"""Paths as text."""

from __future__ import annotations

import pytest

from heap_exporter.model import RetainerPath, Step, StepKind
from heap_exporter.report.path_text import path_text, path_to_type, step_text, step_texts
from tests.heaps.steps import path


@pytest.mark.parametrize("kind", StepKind)
def test_every_kind_of_step_has_a_text(kind: StepKind) -> None:
    assert (step_text(Step(kind, "shop.Cart", "items")) == "") == (kind is StepKind.ROOT)


def test_a_path_is_one_line() -> None:
    steps = path("shop.sessions.SESSIONS", "dict value", "Session.cart", "list item")

    assert path_text(steps) == "shop.sessions.SESSIONS → dict value → Session.cart → list item"


def test_a_thread_its_frames_and_their_variables_are_one_step() -> None:
    steps = (
        Step(StepKind.THREAD, "", "MainThread"),
        Step(StepKind.FRAME, "", "main"),
        Step(StepKind.LOCAL_VARIABLE, "", "cache"),
        Step(StepKind.ITEM, "list"),
        Step(StepKind.LOCAL_VARIABLE, "generator", "rows"),
    )

    assert step_texts(RetainerPath(steps)) == (
        "thread MainThread › main() › cache",
        "list item",
        "generator local rows",
    )


def test_the_timers_of_an_event_loop_are_one_step_with_it() -> None:
    steps = RetainerPath([Step(StepKind.EVENT_LOOP), Step(StepKind.EVENT_LOOP_ATTRIBUTE, "", "_scheduled")])

    assert step_texts(steps) == ("event loop › timers",)


def test_a_path_ends_with_its_type_once() -> None:
    assert path_to_type(path("shop.CACHE", "dict value"), "shop.Item") == "shop.CACHE → dict value → Item"
    assert path_to_type(path("shop.CACHE", "task's coroutine"), "coroutine") == "shop.CACHE → task's coroutine"


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step(StepKind.FRAME, "", "<module>"), "<module>"),
        (Step(StepKind.FRAME, "", "<lambda>"), "<lambda>()"),
        (Step(StepKind.ATTRIBUTE, "shop.Cart", ""), "Cart attribute"),
        (Step(StepKind.CLOSURE_VARIABLE), "closure variable"),
        (Step(StepKind.AWAITED, "_asyncio.Task"), "awaited by task"),
        (Step(StepKind.INSIDE, "function", "shop.f"), "inside shop.f"),
        (Step(StepKind.THREAD, "", "thread 17"), "thread 17"),
    ],
)
def test_a_step_without_a_usual_name_reads_well(step: Step, text: str) -> None:
    assert step_text(step) == text
