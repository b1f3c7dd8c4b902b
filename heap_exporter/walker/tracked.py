"""The objects that the garbage collector tracks, taken without harm to the tuples among them.

``tuple(generator)`` makes a tuple, which is tracked at once, and resizes it as items come; CPython refuses with a
``SystemError`` if anybody else refers to it by then. ``gc.get_objects()`` refers to every tuple. So no reference to a
tuple may outlive the stretch in which no other thread can run, and the only such stretch that Python code can make is a
single call into C: everything here happens within one ``deque(...)`` that drives a chain of iterators.
"""

from __future__ import annotations

import gc
from collections import deque
from itertools import chain, compress, count, repeat, starmap
from operator import getitem, is_, setitem
from typing import NamedTuple

YOUNG_GENERATIONS = 2


class Tracked(NamedTuple):
    """What is tracked.

    ``objects`` has ``None`` in the place of each exact tuple, of which there are only the lengths.
    """

    objects: list[object]
    tuple_lengths: list[int]
    generation_objects: tuple[int, ...]


def tracked_objects() -> Tracked:
    """Return all tracked objects, in one stop that is some three times as long as ``gc.get_objects()``'s own."""
    held: list[list[object]] = []
    types: list[type] = []
    places: list[int] = []
    tuple_lengths: list[int] = []
    # Nothing of these is done before deque() asks for it. What `held` holds by then is one list: all objects.
    objects, each_time = chain.from_iterable(held), chain.from_iterable(repeat(held))
    deque(
        chain(
            map(held.append, starmap(gc.get_objects, [()])),
            map(types.extend, [map(type, objects)]),
            map(places.extend, [compress(count(), map(is_, types, repeat(tuple)))]),
            map(tuple_lengths.extend, [map(len, map(getitem, each_time, places))]),  # type: ignore[arg-type]  # of tuples
            map(setitem, each_time, places, repeat(None)),
        ),
        maxlen=0,
    )
    young = [_count(generation) for generation in range(YOUNG_GENERATIONS)]
    return Tracked(held[0], tuple_lengths, (*young, max(len(held[0]) - sum(young), 0)))


def _count(generation: int) -> int:
    """Return how many objects a generation has, in one call into C for the same reason."""
    return sum(map(len, starmap(gc.get_objects, [(generation,)])))
