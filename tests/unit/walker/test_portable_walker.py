"""The portable walker counts all objects but heap-exporter's own, and runs none of the application's code."""

import gc
import sys
import threading

import pytest

from heap_exporter.errors import SourceMissing
from heap_exporter.model import Census
from heap_exporter.walker.fallback_walker import choose_walker
from heap_exporter.walker.naming import MAX_NAME_LENGTH, sizer, tuple_bytes, type_name


class Planted:
    def __init__(self) -> None:
        self.items: list[object] = [self]


class Slotted:
    __slots__ = ("__weakref__", "x")

    def __init__(self) -> None:
        self.x: list[int] = []


def objects_of(census: Census, name: str) -> int:
    return next((count.objects for count in census.types if count.type_name == name), 0)


def test_planted_objects_are_counted_with_their_size() -> None:
    held = [Planted() for _ in range(5000)]

    census = choose_walker("portable").census()

    count = next(count for count in census.types if count.type_name.endswith("test_portable_walker.Planted"))
    assert count.objects == 5000
    assert count.bytes == sum(map(sys.getsizeof, held))


def test_the_largest_types_come_first_and_sums_are_correct() -> None:
    census = choose_walker("portable").census()

    sizes = [count.bytes for count in census.types]
    assert sizes == sorted(sizes, reverse=True)
    assert census.bytes == sum(sizes)
    assert sum(census.generation_objects) >= census.objects


def test_other_threads_run_during_a_walk() -> None:
    held = [[i] for i in range(50_000)]
    turns = 0
    done = threading.Event()

    def spin() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        choose_walker("portable").census()
    finally:
        done.set()
        thread.join()

    assert len(held) == 50_000
    assert turns > 100


def test_names_are_qualified_and_bounded() -> None:
    long = type("X" * 500, (), {})

    assert type_name(dict) == "dict"
    assert type_name(Planted).endswith("test_portable_walker.Planted")
    assert len(type_name(long)) == MAX_NAME_LENGTH


def test_a_size_method_in_python_is_not_called() -> None:
    class Boasting:
        def __sizeof__(self) -> int:
            raise AssertionError

    assert sizer(Boasting)(Boasting()) >= 16
    assert sizer(Slotted)(Slotted()) == sys.getsizeof(Slotted())


def test_tuples_are_counted_with_their_size() -> None:
    gc.collect()  # what is garbage before must not go meanwhile
    before = choose_walker("portable").census()
    held: list[tuple[list[int], int]] = [([], number) for number in range(10_000)]
    after = choose_walker("portable").census()

    assert 9_900 < objects_of(after, "tuple") - objects_of(before, "tuple") < 10_500
    assert [tuple_bytes(length) for length in (0, 1, 7)] == [sys.getsizeof((0,) * length) for length in (0, 1, 7)]
    assert len(held) == 10_000


def test_a_lone_surrogate_in_a_name_is_escaped() -> None:
    assert type_name(type("Half", (), {"__module__": "shop\udc80"})) == "shop\\udc80.Half"


def test_a_heap_that_is_unfrozen_is_walked_again() -> None:
    gc.freeze()
    try:
        with pytest.raises(SourceMissing):
            choose_walker("portable").census()
    finally:
        gc.unfreeze()

    assert choose_walker("portable").census().objects > 1000


def test_the_portable_walker_cannot_search_for_lost_memory() -> None:
    with pytest.raises(SourceMissing, match="the native walker can"):
        choose_walker("portable").lost()
