"""What grows with each repetition of a scenario, from batch to batch at the same rate, is a leak."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from heap_exporter.analysis.repeated_growth import FoundLeak, RepeatedGrowth, some_type_grew
from heap_exporter.model import Census, TypeCount
from heap_exporter.model.paths import Step
from tests.heaps.steps import path
from tests.heaps.trees import Branch, heap

REPETITIONS = (10, 30, 90)


def nothing_is_left_out(_step: Step, _type_name: str) -> bool:
    return False


def leaks_of(branches: Sequence[Branch]) -> tuple[FoundLeak, ...]:
    """Return the leaks that snapshots before and after each batch show."""
    growth = RepeatedGrowth(nothing_is_left_out)
    heaps = [heap(Branch("", below=(Branch("modules", below=(Branch("shop", "module", 1, 72, (each,)),)),)))
             for each in branches]  # fmt: skip  # one list
    for before, after, repetitions in zip(heaps, heaps[1:], REPETITIONS, strict=False):
        if not growth.add_batch(before, after, repetitions):
            return ()
    return growth.leaks()


def sessions(objects: int) -> Branch:
    return Branch("shop.STORE", "dict", 1, 64, (Branch("dict value", "shop.Session", objects, 100),))


def test_one_object_a_repetition_is_a_leak_with_its_holder() -> None:
    [leak] = leaks_of([sessions(number) for number in (3, 13, 43, 133)])

    assert (leak.suspect.type_name, leak.suspect.holder) == ("shop.Session", path("shop.STORE"))
    assert (leak.objects_each, leak.bytes_each) == (1.0, 100.0)


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((3, 13, 43, 128), "a cache was full in the last batch"),
        ((3, 13, 43, 43), "the growth stopped"),
        ((3, 5, 15, 45), "fewer objects than repetitions"),
        ((3, 13, 133, 233), "the growth a repetition fell to a third"),
        ((3, 3, 3, 3), "no growth"),
    ],
)
def test_other_growth_is_no_leak(numbers: Sequence[int], reason: str) -> None:
    assert leaks_of([sessions(number) for number in numbers]) == (), reason


def test_the_first_batch_may_fill_caches_next_to_the_leak() -> None:
    [leak] = leaks_of([sessions(number) for number in (3, 303, 333, 423)])

    assert leak.objects_each == 1.0


def test_a_buffer_that_grows_with_each_repetition_is_a_leak() -> None:
    def buffer(size_bytes: int) -> Branch:
        return Branch("shop.LOG", "bytearray", 1, size_bytes)

    [leak] = leaks_of([buffer(100 * number) for number in (3, 13, 43, 133)])

    assert (leak.suspect.type_name, leak.bytes_each) == ("bytearray", 100.0)


def test_what_a_tool_holds_is_left_out() -> None:
    growth = RepeatedGrowth(lambda _step, type_name: type_name == "dict")
    before, after = (heap(Branch("", below=(Branch("modules", below=(sessions(number),)),))) for number in (3, 13))

    assert growth.add_batch(before, after, 10) is False


@pytest.mark.parametrize(
    ("objects", "size_bytes", "grew"), [(9, 79, False), (10, 0, True), (0, 80, True), (-5, -80, False)]
)
def test_a_batch_is_analysed_if_a_type_gained_an_object_or_a_reference_a_repetition(
    objects: int, size_bytes: int, grew: bool
) -> None:
    before, after = census("shop.Session", 100, 1000), census("shop.Session", 100 + objects, 1000 + size_bytes)

    assert some_type_grew(before, after, 10) is grew


def test_a_new_type_counts_as_growth() -> None:
    assert some_type_grew(census("shop.Session", 1, 10), census("shop.Order", 10, 10), 10)


def census(type_name: str, objects: int, size_bytes: int) -> Census:
    return Census(
        taken_at=0.0,
        duration_seconds=0.0,
        pause_seconds=0.0,
        cpu_seconds=0.0,
        walker="native",
        types=(TypeCount(type_name, objects, size_bytes),),
        generation_objects=(0, 0, 0),
    )
