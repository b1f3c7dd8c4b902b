"""The entries of a suspected holder, counted in the running process."""

from __future__ import annotations

import functools
import tracemalloc
import types
from collections import defaultdict, deque

import pytest

from heap_exporter.investigation.live_holder import live_holder
from tests.heaps.steps import path


class Slotted:
    __slots__ = ("cache",)

    def __init__(self, cache: object) -> None:
        self.cache = cache


@functools.cache
def unlimited(number: int) -> int:
    return number


def shop(place: object) -> dict[str, types.ModuleType]:
    module = types.ModuleType("shop.stock")
    vars(module).update(PLACE=place)
    return {"shop.stock": module}


@pytest.mark.parametrize(
    ("value", "steps", "entries"),
    [
        ({1: 2}, (), 1),
        (deque(range(5)), (), 5),
        (Slotted({1: 2, 3: 4}), ("Slotted.cache",), 2),
        ({"a": [1, 2], "b": [3]}, ("dict value",), 3),
        (defaultdict(list, {"a": [1, 2], "b": [3]}), ("defaultdict value",), 3),
        (Slotted(7), ("Slotted.cache",), None),
        ({"a": [1, 2]}, ("dict value", "list item", "list item"), None),
    ],
)
def test_the_entries_of_a_holder_are_counted_where_its_path_can_be_followed(
    value: object, steps: tuple[str, ...], entries: int | None
) -> None:
    found = live_holder(path("shop.stock.PLACE", *steps), shop(value))

    assert (found and found.entries) == entries


def test_the_entries_of_an_lru_cache_are_counted() -> None:
    for number in range(30):
        unlimited(number)

    found = live_holder(path("shop.stock.PLACE"), shop(unlimited))

    assert found is not None
    assert found.entries == 30


@pytest.mark.parametrize(
    ("large", "step"), [(dict.fromkeys(range(100_000)), "dict value"), ([[]] * 100_000, "list item")]
)
def test_a_large_container_is_not_copied_to_look_into_it(large: object, step: str) -> None:
    modules = shop(large)
    tracemalloc.start()
    try:
        assert live_holder(path("shop.stock.PLACE", step, "list item"), modules) is None
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 100_000
