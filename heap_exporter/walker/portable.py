"""The walker in pure Python: for interpreters that the native one does not know, and until it is there.

What it cannot see: objects that the garbage collector does not track (str, int, bytes, and tuples and dicts of
only such), and objects that ``gc.freeze()`` has put aside; a frozen heap is refused rather than misreported.
The walk holds a reference to every object it has still to count, so an object that the application drops
meanwhile is freed by the walk, on its thread.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from heap_exporter.errors import SourceMissing, WalkGivenUp
from heap_exporter.model import Census, GraphSummary, References, TypeCount
from heap_exporter.walker.naming import sizer, tuple_bytes, type_name
from heap_exporter.walker.own import is_own_class, own_objects
from heap_exporter.walker.tracked import tracked_objects

COUNT_OBJECTS = 2000
REFERENCES_OBJECTS = 300
"""Objects counted, or followed too, before the GIL is offered to others: about a millisecond either way."""

REST_SECONDS = 0.0005
"""How long the walk sleeps between chunks; a sleep of nothing would seldom let a waiting thread in."""

FROZEN_BY_THE_INTERPRETER = 1000
"""Up to so many frozen objects are nobody's ``gc.freeze()``: CPython 3.12 puts hundreds aside as it starts."""


class _Entry:
    """What is known of one type during a walk."""

    __slots__ = ("bytes", "cls", "objects", "size")

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.size = sizer(cls)
        self.objects = 0
        self.bytes = 0


class _Clock:
    """Times a walk: its whole, its processor time, and the longest stretch without offering the GIL."""

    def __init__(self) -> None:
        self.wall_started_at = time.time()
        self.started = time.perf_counter()
        self.cpu_started = self.cpu_resumed = time.thread_time()
        self.longest_pause = 0.0

    def rest(self) -> None:
        # Processor time, since wall time would count the turns of threads that took the GIL in between.
        self.longest_pause = max(self.longest_pause, time.thread_time() - self.cpu_resumed)
        time.sleep(REST_SECONDS)
        self.cpu_resumed = time.thread_time()


class PortableWalker:
    """A :class:`~heap_exporter.walker.Walker` over ``gc.get_objects()`` and ``gc.get_referents()``."""

    name = "portable"

    def __init__(self, own_roots: Iterable[object], given_up: Callable[[], bool]) -> None:
        self._own_roots = tuple(own_roots)
        self._given_up = given_up

    def census(self) -> Census:
        """Return all tracked objects by type. Raises :class:`SourceMissing` on a frozen heap."""
        walk = _Walk((self, *self._own_roots))
        for chunk in walk.chunks(COUNT_OBJECTS, self._given_up):
            walk.count(chunk)
        return walk.census(self.name)

    def graph_summary(self) -> GraphSummary:
        """Return the census and the references by type. Raises :class:`SourceMissing` on a frozen heap."""
        walk = _Walk((self, *self._own_roots))
        for chunk in walk.chunks(REFERENCES_OBJECTS, self._given_up):
            walk.count(chunk)
            walk.count_references(chunk)
        return GraphSummary(walk.census(self.name), walk.references())


class _Walk:
    """The state of one walk."""

    def __init__(self, own_roots: tuple[object, ...]) -> None:
        frozen = gc.get_freeze_count()
        if frozen > FROZEN_BY_THE_INTERPRETER:
            raise SourceMissing(f"{frozen} objects were put aside by gc.freeze() and cannot be seen from Python")
        self._clock = _Clock()
        self._entries: dict[int, _Entry] = {}
        self._edges: dict[tuple[int, int], int] = {}
        self._generation_objects: tuple[int, ...] = ()
        self._seen_tuples: set[int] = set()
        self._own, self._own_tuple_lengths = own_objects((self, *own_roots))

    def chunks(self, size: int, given_up: Callable[[], bool]) -> Iterator[list[object]]:
        """Yield the objects, newest first, in pieces; each is let go of before the next is made."""
        self._clock.rest()
        objects, tuple_lengths, self._generation_objects = tracked_objects()
        self._own |= {id(objects), id(tuple_lengths), id(None)}
        self._count_tuples(tuple_lengths)
        while objects:
            self._clock.rest()
            if given_up():
                raise WalkGivenUp("the exporter was stopped during a walk")
            chunk = objects[-size:]
            del objects[-size:]
            yield chunk

    def count(self, chunk: list[object]) -> None:
        """Add the objects of a chunk to the count of their types."""
        own, entries = self._own, self._entries
        for found in chunk:
            if id(found) in own:
                continue
            cls = type(found)
            entry = entries.get(id(cls)) or self._entry(cls)
            entry.objects += 1
            try:
                entry.bytes += entry.size(found)
            except Exception:  # noqa: S112  # a foreign __sizeof__ may fail; its object still counts
                continue

    def _count_tuples(self, lengths: list[int]) -> None:
        """Count the exact tuples, which can be had by length only; see :mod:`heap_exporter.walker.tracked`."""
        entry = self._entry(tuple)
        by_length = Counter(lengths)
        by_length.subtract(self._own_tuple_lengths)
        for length, objects in by_length.items():
            entry.objects += objects
            entry.bytes += objects * tuple_bytes(length)

    def count_references(self, chunk: list[object]) -> None:
        """Add the references that leave the objects of a chunk, and the tuples that they refer to: those are whole."""
        pending = [found for found in chunk if id(found) not in self._own]
        while pending:
            found = pending.pop()
            targets = gc.get_referents(found)
            for begin in range(0, len(targets), COUNT_OBJECTS):
                if begin:
                    self._clock.rest()
                pending += self._count_targets(id(type(found)), targets[begin : begin + COUNT_OBJECTS])

    def _count_targets(self, source: int, targets: list[object]) -> list[object]:
        """Add references from a type to objects; return the tuples among these that had not been met."""
        own, seen = self._own, self._seen_tuples
        fresh: list[object] = []
        for target in targets:
            if id(target) in own:
                continue
            self._count_reference(source, type(target))
            if type(target) is tuple and id(target) not in seen:
                seen.add(id(target))
                fresh.append(target)
        return fresh

    def _count_reference(self, source: int, target: type) -> None:
        key = (source, id(target))
        if key not in self._edges:
            self._entry(target)
        self._edges[key] = self._edges.get(key, 0) + 1

    def census(self, walker: str) -> Census:
        """Return what was counted, largest type first; types of one name are summed."""
        counts: dict[str, tuple[int, int]] = {}
        for entry in self._entries.values():
            if entry.objects and not is_own_class(entry.cls):
                name = type_name(entry.cls)
                objects, size = counts.get(name, (0, 0))
                counts[name] = (objects + entry.objects, size + entry.bytes)
        self._clock.rest()
        return Census(
            taken_at=self._clock.wall_started_at,
            duration_seconds=time.perf_counter() - self._clock.started,
            pause_seconds=self._clock.longest_pause,
            cpu_seconds=time.thread_time() - self._clock.cpu_started,
            walker=walker,
            types=tuple(
                TypeCount(name, objects, size)
                for name, (objects, size) in sorted(counts.items(), key=lambda item: (-item[1][1], item[0]))
            ),
            generation_objects=self._generation_objects,
        )

    def references(self) -> tuple[References, ...]:
        """Return the counted references, most frequent first."""
        names = {key: type_name(entry.cls) for key, entry in self._entries.items()}
        folded: dict[tuple[str, str], int] = {}
        for (source, target), count in self._edges.items():
            key = (names[source], names[target])
            folded[key] = folded.get(key, 0) + count
        ordered = sorted(folded.items(), key=lambda item: (-item[1], item[0]))
        return tuple(References(source, target, count) for (source, target), count in ordered)

    def _entry(self, cls: type) -> _Entry:
        entry = self._entries.get(id(cls))
        if entry is None:
            entry = self._entries[id(cls)] = _Entry(cls)
        return entry
