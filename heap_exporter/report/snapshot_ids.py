"""Node ids of a ``.heapsnapshot``: 32 bits, unique, and the same in every snapshot of a process.

DevTools and memlab compare two snapshots by these ids, and cut longer ones. The id of an object is the lower half of
its place (its address divided by 16), which is unique within 64 GiB of addresses and depends on no other object. A
process has two such address ranges, its program and its mapped memory. Where the ids of both ranges collide, the object
in the larger range gets an id from a hash of its place, so few ids change between snapshots. An object at the address
of a freed object has the id of that object.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from heap_exporter.analysis.graph import Holder

ROOT_ID = 1
"""The id that the tools expect for the root."""

_END = 1 << 32
_SCATTER = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: Knuth's multiplicative hashing."""


def holder_ids(holders: Sequence[Holder]) -> list[int]:
    """Return the ``.heapsnapshot`` id of each holder: ROOT_ID for the first, else a hash of kind, name and parent."""
    ids = [ROOT_ID]
    taken = {0, ROOT_ID}
    seen: Counter[tuple[int, str, str]] = Counter()
    for holder in holders[1:]:
        what = (ids[holder.parent], holder.kind, holder.name)
        seen[what] += 1
        wanted = zlib.crc32(repr((what, seen[what])).encode("utf-8", "backslashreplace"))
        while wanted in taken:
            wanted = (wanted + 1) % _END
        taken.add(wanted)
        ids.append(wanted)
    return ids


def object_ids(places: memoryview[int], reserved: set[int]) -> array[int]:
    """Return the ``.heapsnapshot`` id of each object, none of them reserved. The places are in ascending order."""
    halves = places.cast("B").cast("I")
    ids = array("I", halves[sys.byteorder == "big" :: 2].tobytes())
    if not ids:
        return ids
    begin, end = max(_stretches(places), key=lambda stretch: stretch[1] - stretch[0])
    taken = set(reserved)
    contested = []
    for index in chain(range(begin), range(end, len(ids))):
        if ids[index] in taken:
            contested.append(index)
        taken.add(ids[index])

    def owner(wanted: int) -> int | None:
        place = places[begin] + (wanted - places[begin]) % _END
        position = bisect_left(places, place, begin, end)
        return position if position < end and places[position] == place else None

    contested += [position for wanted in taken if (position := owner(wanted)) is not None]
    for index in sorted(contested):
        wanted = places[index] * _SCATTER >> 32
        while (wanted := wanted % _END) in taken or owner(wanted) is not None:
            wanted += 1
        taken.add(wanted)
        ids[index] = wanted
    return ids


def _stretches(places: memoryview[int]) -> Iterator[tuple[int, int]]:
    """Yield the begin and the end (exclusive) of each run of ``.heapsnapshot`` objects within 64 GiB."""
    begin = 0
    while begin < len(places):
        end = bisect_left(places, places[begin] + _END, begin)
        yield begin, end
        begin = end
