"""The walker in pure Python: for interpreters that the native one does not know, and where it cannot be had.

What it cannot see, in a census: objects that the garbage collector does not track (str, int, bytes, and tuples and
dicts of only such). In a graph it sees these too where something it sees refers to them. Then it misses tuples and
untracked objects that only a running function or C code refers to, the names of instance attributes that no code in the
process mentions, those of slots and of a closure's cells, and the locals of running functions before Python 3.13.

The heap changes while it is walked: an edge may lead to an object that is not in the graph, having come since; one may
lead to another object at the address of one that has gone. Reference counts include what heap-exporter itself refers to
(modules, mostly). Objects that ``gc.freeze()`` has put aside cannot be seen at all: a frozen heap is refused rather
than misreported. The walk holds a reference to every object it has still to see, so an object that the application
drops meanwhile is freed by the walk, on its thread. Its pause is that of taking all objects in one stop, or of copying
the largest dict or set.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable

from heap_exporter.errors import SourceMissing, WalkCancelled
from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Census, TypeCount, Walk
from heap_exporter.walker.clock import WalkClock
from heap_exporter.walker.graph_writer import Graph
from heap_exporter.walker.naming import sizer, tuple_bytes, type_name
from heap_exporter.walker.own import is_own_class, own_objects
from heap_exporter.walker.roots import write_roots
from heap_exporter.walker.tracked import tracked_objects

CHUNK_OBJECTS = 2000
"""Objects counted before the GIL is offered to others: about a millisecond."""

FROZEN_BY_THE_INTERPRETER = 1000
"""Up to so many frozen objects are nobody's ``gc.freeze()``: CPython 3.12 puts hundreds aside as it starts."""


class PortableWalker:
    """A :class:`~heap_exporter.walker.Walker` over ``gc.get_objects()`` and ``gc.get_referents()``.

    ``own_roots`` are objects of ours that are reachable from no module; a walk ends early, with
    :class:`~heap_exporter.errors.WalkCancelled`, once ``given_up()`` returns true; ``keys`` also names the keys of
    dicts.
    """

    name = "portable"

    def __init__(self, own_roots: Iterable[object], given_up: Callable[[], bool], keys: bool = False) -> None:
        self._own_roots = (self, *own_roots)
        self._given_up = given_up
        self._keys = keys

    def census(self) -> Census:
        """Return all tracked objects by type. Raises :class:`SourceMissing` on a frozen heap."""
        tally = _Tally()
        clock, own = WalkClock(), own_objects(self._own_roots)
        _refuse_a_frozen_heap()
        clock.rest()
        objects, tuple_lengths, generation_objects = tracked_objects()
        tally.add_tuples(tuple_lengths, own.tuple_lengths)
        own.ids.update((id(objects), id(tuple_lengths), id(None)))
        while objects:
            self._pass_on(clock)
            tally.add(_taken_from(objects), own.ids)
        types = tally.types()
        clock.rest()
        return Census(
            taken_at=clock.wall_started_at,
            duration_seconds=clock.duration_seconds,
            pause_seconds=clock.longest_pause,
            cpu_seconds=clock.cpu_seconds,
            walker=self.name,
            types=types,
            generation_objects=generation_objects,
        )

    def write_graph(self, out: BlockWriter) -> Walk:
        """Write all objects that can be seen. Raises :class:`SourceMissing` on a frozen heap."""
        clock, own = WalkClock(), own_objects(self._own_roots)
        _refuse_a_frozen_heap()
        clock.rest()
        objects, _, _ = tracked_objects()
        own.ids.add(id(objects))
        encoder = GraphEncoder(out)
        graph = Graph(encoder, own.ids, clock.rest, keys=self._keys)
        for begin in range(0, len(objects), CHUNK_OBJECTS):
            self._pass_on(clock)
            graph.expect(objects[begin : begin + CHUNK_OBJECTS])
        while objects:
            self._pass_on(clock)
            graph.write(_taken_from(objects))
        write_roots(encoder, own.ids, clock.rest)
        encoder.end()
        clock.rest()
        return Walk(graph.objects, graph.references, clock.duration_seconds, clock.longest_pause, clock.cpu_seconds)

    def _pass_on(self, clock: WalkClock) -> None:
        clock.rest()
        if self._given_up():
            raise WalkCancelled("the exporter was stopped during a walk")


def _refuse_a_frozen_heap() -> None:
    frozen = gc.get_freeze_count()
    if frozen > FROZEN_BY_THE_INTERPRETER:
        raise SourceMissing(f"{frozen} objects were put aside by gc.freeze() and cannot be seen from Python")


def _taken_from(objects: list[object]) -> list[object]:
    """Return the newest of the objects, which nothing else refers to on our side any more."""
    chunk = objects[-CHUNK_OBJECTS:]
    del objects[-CHUNK_OBJECTS:]
    return chunk


class _Entry:
    """What is known of one type during a census."""

    __slots__ = ("bytes", "cls", "objects", "size")

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.size = sizer(cls)
        self.objects = 0
        self.bytes = 0


class _Tally:
    """The objects counted so far, by class."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}

    def add(self, chunk: list[object], own: set[int]) -> None:
        """Count the objects of a chunk that are not ours."""
        entries = self._entries
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

    def add_tuples(self, lengths: list[int], own_lengths: list[int]) -> None:
        """Count the exact tuples, which can be had by length only; see :mod:`heap_exporter.walker.tracked`."""
        entry = self._entry(tuple)
        by_length = Counter(lengths)
        by_length.subtract(own_lengths)
        for length, objects in by_length.items():
            entry.objects += objects
            entry.bytes += objects * tuple_bytes(length)

    def types(self) -> tuple[TypeCount, ...]:
        """Return what was counted, largest type first; types of one name are summed."""
        counts: dict[str, tuple[int, int]] = {}
        for entry in self._entries.values():
            if entry.objects and not is_own_class(entry.cls):
                name = type_name(entry.cls)
                objects, size = counts.get(name, (0, 0))
                counts[name] = (objects + entry.objects, size + entry.bytes)
        largest_first = sorted(counts.items(), key=lambda item: (-item[1][1], item[0]))
        return tuple(TypeCount(name, objects, size) for name, (objects, size) in largest_first)

    def _entry(self, cls: type) -> _Entry:
        entry = self._entries.get(id(cls))
        if entry is None:
            entry = self._entries[id(cls)] = _Entry(cls)
        return entry
