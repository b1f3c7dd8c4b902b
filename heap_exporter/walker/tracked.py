"""The objects that the garbage collector tracks, taken without harm to the tuples among them.

``tuple(generator)`` makes a tuple, which is tracked at once, and resizes it as items come; CPython refuses with a
``SystemError`` if anybody else refers to it by then. ``gc.get_objects()`` refers to every tuple. So no reference to a
tuple may outlive the stretch in which no other thread can run, and the only such stretch that Python code can make is a
single call into C: everything here happens within one ``deque(...)`` that drives a chain of iterators.
"""

from __future__ import annotations

import gc
from collections import deque
from itertools import chain, compress, repeat, starmap
from operator import is_, is_not
from typing import NamedTuple

YOUNG_GENERATIONS = 2


class Tracked(NamedTuple):
    """What is tracked: all objects but exact tuples, the lengths of those, and how many objects each generation has."""

    objects: list[object]
    tuple_lengths: list[int]
    generation_objects: tuple[int, ...]


def tracked_objects() -> Tracked:
    """Return all tracked objects, in one stop of some 0.1 µs an object."""
    everything: list[object] = []
    types: list[type] = []
    objects: list[object] = []
    tuple_lengths: list[int] = []
    deque(
        chain(
            map(everything.extend, starmap(gc.get_objects, [()])),
            map(types.extend, [map(type, everything)]),
            map(objects.extend, [compress(everything, map(is_not, types, repeat(tuple)))]),
            map(tuple_lengths.extend, [map(len, compress(everything, map(is_, types, repeat(tuple))))]),  # type: ignore[arg-type]  # tuples only
            starmap(everything.clear, [()]),
        ),
        maxlen=0,
    )
    young = [_count(generation) for generation in range(YOUNG_GENERATIONS)]
    old = max(len(objects) + len(tuple_lengths) - sum(young), 0)
    return Tracked(objects, tuple_lengths, (*young, old))


def _count(generation: int) -> int:
    """Return how many objects a generation has, in one call into C for the same reason."""
    return sum(map(len, starmap(gc.get_objects, [(generation,)])))
