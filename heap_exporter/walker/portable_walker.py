"""The heap walker in pure Python, for interpreters and platforms without the native walker.

A census lacks the objects that the garbage collector does not track: str, int, bytes, and tuples and dicts of only
those. A graph contains them if an object in it refers to them. It lacks tuples and untracked objects that only running
functions or C code refer to, the names of instance attributes that no code in the process contains, the names of slots
and of a closure's cells, and before Python 3.13 the local variables of running functions.

The heap changes during the walk: an edge may lead to a new object that is not in the graph, or to another object at the
address of a freed one. Reference counts include references of heap-exporter itself, mostly to modules. Python cannot
see objects after ``gc.freeze()``, so a frozen heap is refused. The walk holds a reference to every object that it has
not visited yet, so the walk's thread frees an object that the application releases meanwhile. Its longest pause is the
collection of all objects in one call, or the copy of the largest dict or set.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable

from heap_exporter.errors import SourceMissing, WalkCancelled
from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Census, LostMemory, TypeCount, Walk
from heap_exporter.walker.clock import WalkClock
from heap_exporter.walker.graph_writer import GraphWriter
from heap_exporter.walker.naming import sizer, tuple_bytes, type_name
from heap_exporter.walker.own_objects import is_own_class, own_objects
from heap_exporter.walker.roots import write_roots
from heap_exporter.walker.tracked import tracked_objects
from heap_exporter.walker.type_counts import type_counts

CHUNK_OBJECTS = 2000
"""Objects counted between two releases of the GIL: about a millisecond."""

FROZEN_BY_THE_INTERPRETER = 1000
"""Up to this number, frozen objects do not come from ``gc.freeze()``: CPython 3.12 freezes hundreds at its start."""


class PortableWalker:
    """The heap walker over ``gc.get_objects()`` and ``gc.get_referents()``, a :class:`~heap_exporter.walker.Walker`.

    ``own_roots`` are objects of heap-exporter that are reachable from none of its modules. A walk ends early with
    :class:`~heap_exporter.errors.WalkCancelled` once ``is_stopping()`` is true. With ``keys`` the keys of dicts are
    written, too.
    """

    name = "portable"

    def __init__(self, own_roots: Iterable[object], is_stopping: Callable[[], bool], keys: bool = False) -> None:
        self._own_roots = (self, *own_roots)
        self._is_stopping = is_stopping
        self._keys = keys

    def census(self) -> Census:
        """Walk the heap and return all tracked objects by type. Raises :class:`SourceMissing` on a frozen heap."""
        counter = _TypeCounter()
        clock, own = WalkClock(), own_objects(self._own_roots)
        _refuse_a_frozen_heap()
        clock.release_gil()
        objects, tuple_lengths, generation_objects = tracked_objects()
        counter.add_tuples(tuple_lengths, own.tuple_lengths)
        own.ids.update((id(objects), id(tuple_lengths), id(None)))
        while objects:
            self._check_for_stop(clock)
            counter.add(_taken_from(objects), own.ids)
        types = counter.types()
        clock.release_gil()
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
        """Walk the heap and write all objects that Python can see. Raises :class:`SourceMissing` on a frozen heap."""
        clock, own = WalkClock(), own_objects(self._own_roots)
        _refuse_a_frozen_heap()
        clock.release_gil()
        objects, _, _ = tracked_objects()
        own.ids.add(id(objects))
        encoder = GraphEncoder(out)
        graph = GraphWriter(encoder, own.ids, clock.release_gil, keys=self._keys)
        for begin in range(0, len(objects), CHUNK_OBJECTS):
            self._check_for_stop(clock)
            graph.expect(objects[begin : begin + CHUNK_OBJECTS])
        while objects:
            self._check_for_stop(clock)
            graph.write(_taken_from(objects))
        write_roots(encoder, own.ids, clock.release_gil)
        encoder.end()
        clock.release_gil()
        return Walk(graph.objects, graph.references, clock.duration_seconds, clock.longest_pause, clock.cpu_seconds)

    def lost(self) -> LostMemory:
        """Raise :class:`SourceMissing`: Python code cannot read memory that no object refers to."""
        raise SourceMissing("the portable walker cannot search for lost memory; the native walker can")

    def _check_for_stop(self, clock: WalkClock) -> None:
        clock.release_gil()
        if self._is_stopping():
            raise WalkCancelled("heap-exporter was stopped during the heap walk")


def _refuse_a_frozen_heap() -> None:
    frozen = gc.get_freeze_count()
    if frozen > FROZEN_BY_THE_INTERPRETER:
        raise SourceMissing(f"the service called gc.freeze(), which hides {frozen:,} objects from the portable walker")


def _taken_from(objects: list[object]) -> list[object]:
    """Remove and return the newest objects of a heap walk; the result is heap-exporter's only reference to them."""
    chunk = objects[-CHUNK_OBJECTS:]
    del objects[-CHUNK_OBJECTS:]
    return chunk


class _TypeTotals:
    """The totals of one type during a heap walk."""

    __slots__ = ("bytes", "cls", "objects", "size")

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.size = sizer(cls)
        self.objects = 0
        self.bytes = 0


class _TypeCounter:
    """Counts the objects and bytes of a heap walk by class."""

    def __init__(self) -> None:
        self._entries: dict[int, _TypeTotals] = {}

    def add(self, chunk: list[object], own: set[int]) -> None:
        """Count the objects in a chunk of the heap whose ids are not in ``own``."""
        entries = self._entries
        for found in chunk:
            if id(found) in own:
                continue
            cls = type(found)
            entry = entries.get(id(cls)) or self._entry(cls)
            entry.objects += 1
            try:
                entry.bytes += entry.size(found)
            except Exception:  # noqa: S112  # another package's __sizeof__ may fail; the object counts anyway
                continue

    def add_tuples(self, lengths: list[int], own_lengths: list[int]) -> None:
        """Count the exact tuples, of which only lengths are known; see :mod:`heap_exporter.walker.tracked`."""
        entry = self._entry(tuple)
        by_length = Counter(lengths)
        by_length.subtract(own_lengths)
        for length, objects in by_length.items():
            entry.objects += objects
            entry.bytes += objects * tuple_bytes(length)

    def types(self) -> tuple[TypeCount, ...]:
        """Return the totals of the heap walk, largest type first; types with the same name are summed."""
        return type_counts(
            (type_name(entry.cls), entry.objects, entry.bytes)
            for entry in self._entries.values()
            if entry.objects and not is_own_class(entry.cls)
        )

    def _entry(self, cls: type) -> _TypeTotals:
        entry = self._entries.get(id(cls))
        if entry is None:
            entry = self._entries[id(cls)] = _TypeTotals(cls)
        return entry
