"""The objects of the heap that the garbage collector tracks, listed without side effects on tuples.

``tuple(generator)`` creates a tracked tuple and resizes it while items arrive; CPython raises ``SystemError`` in that
thread if another reference to the tuple exists. ``gc.get_objects()`` refers to every tuple. So these references must
be gone before another thread runs, and Python code can ensure that only within a single call into C: all of this
happens within one ``deque(...)`` that consumes a chain of iterators.
"""

from __future__ import annotations

import gc
from collections import deque
from itertools import chain, compress, count, repeat, starmap
from operator import getitem, is_, setitem
from typing import NamedTuple

YOUNG_GENERATIONS = 2


class Tracked(NamedTuple):
    """The tracked objects of the heap; ``objects`` has ``None`` for each exact tuple, ``tuple_lengths`` its length."""

    objects: list[object]
    tuple_lengths: list[int]
    generation_objects: tuple[int, ...]


def tracked_objects() -> Tracked:
    """Return all tracked objects of the heap, in one call that takes about thrice as long as ``gc.get_objects()``."""
    held: list[list[object]] = []
    types: list[type] = []
    places: list[int] = []
    tuple_lengths: list[int] = []
    # All of this is lazy until deque() consumes it; then `held` contains one list: all objects.
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
    young = [_count_generation(generation) for generation in range(YOUNG_GENERATIONS)]
    return Tracked(held[0], tuple_lengths, (*young, max(len(held[0]) - sum(young), 0)))


def _count_generation(generation: int) -> int:
    """Return the number of tracked objects of the heap in a generation, in one call into C for the same reason."""
    return sum(map(len, starmap(gc.get_objects, [(generation,)])))
