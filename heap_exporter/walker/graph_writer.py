"""Writes the graph of objects that are given to it, and of all that is reached from them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice

from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import PLACE_SHIFT
from heap_exporter.walker.layout import NOTHING, Layout, Referents
from heap_exporter.walker.naming import LONGEST_NAME, is_identifier
from heap_exporter.walker.places import Places

BATCH_OBJECTS = 200
BATCH_EDGES = 1000
"""Objects or edges written before the GIL is offered to others: a millisecond or two of either."""

IMMORTAL = 1 << 30
"""Reference counts so large are those of objects that no count frees (3.12 and newer)."""

HELD_BY_BATCH = next(map(sys.getrefcount, [object()]))
"""What ``map(sys.getrefcount, batch)`` tells of an object that nobody but the batch refers to."""


class Graph:
    """Writes objects as nodes, each once.

    ``own`` are the ids of objects that are left out, and whose instances are: a reference to one is written as none.
    ``rest()`` lets others run; with ``keys``, the keys of all dicts are named. No reference to an object outlives the
    verb that it was given to, but classes are kept to the end, so that no other takes the address of one.
    """

    def __init__(self, encoder: GraphEncoder, own: set[int], rest: Callable[[], None], *, keys: bool) -> None:
        self.objects = 0
        self.references = 0
        self._encoder = encoder
        self._own = own | {id(NOTHING)}
        self._rest = rest
        self._keys = keys
        self._layouts: dict[int, Layout] = {}
        self._known = Places()
        self._named = Places()
        self._edges_since_rest = 0

    def expect(self, objects: list[object]) -> None:
        """Take note of objects that :meth:`write` will be given, so that none is written when it is met before."""
        for found in objects:
            if found is not None and not self._is_own(found):
                self._known.add(id(found) >> PLACE_SHIFT)

    def write(self, pending: list[object]) -> None:
        """Write the objects, and those they lead to that are new; leave the list empty.

        All have been expected, and nobody else refers to them on our side: that is taken off their reference counts.
        """
        pending[:] = [found for found in pending if found is not None and not self._is_own(found)]
        while pending:
            batch = pending[-BATCH_OBJECTS:]
            del pending[-BATCH_OBJECTS:]
            layouts = self._layouts
            # A count comes before the object in each pair: nothing else of ours refers to the object by then.
            counts = [
                count - HELD_BY_BATCH - (id(found) in layouts)
                for count, found in zip(map(sys.getrefcount, batch), batch, strict=True)
            ]
            for found, count in zip(batch, counts, strict=True):
                self._write_node(found, 0 if count >= IMMORTAL else max(count, 1), pending)
            self._rest()

    def _write_node(self, found: object, reference_count: int, fresh: list[object]) -> None:
        cls = type(found)
        layout = self._layouts.get(id(cls))
        if layout is None:
            layout = self._layouts[id(cls)] = Layout(cls, found, self._encoder)
        size_bytes = layout.size_of(found) if layout.size_bytes is None else layout.size_bytes
        referents = layout.referents(found) if layout.referents else Referents(0, ())
        self.objects += 1
        self._encoder.begin_node(layout.shape, id(found) >> PLACE_SHIFT, size_bytes, reference_count, referents.length)
        if referents.length:
            self._write_edges(referents, fresh)
        if layout.attribute_keys:
            self._write_names([key for key in layout.attribute_keys(found) if is_identifier(key)])
        elif self._keys and type(found) is dict:
            self._write_names([key for key in list(found) if type(key) is str and 0 < len(key) <= LONGEST_NAME])

    def _write_edges(self, referents: Referents, fresh: list[object]) -> None:
        """Write the edges of the node begun, in pieces; those whose targets have gone meanwhile as none."""
        targets = islice(referents.targets, referents.length)
        for begin in range(0, referents.length, BATCH_EDGES):
            piece = min(BATCH_EDGES, referents.length - begin)
            places = [self._target_place(target, fresh) for target in islice(targets, piece)]
            self._encoder.edges(places + [0] * (piece - len(places)))
            self.references += piece - places.count(0)
            self._edges_since_rest += piece
            if self._edges_since_rest >= BATCH_EDGES:
                self._edges_since_rest = 0
                self._rest()

    def _target_place(self, target: object, fresh: list[object]) -> int:
        if id(target) in self._own:
            return 0
        place = id(target) >> PLACE_SHIFT
        if self._known.add(place):
            if id(type(target)) in self._own:
                self._own.add(id(target))
                return 0
            fresh.append(target)
        return place

    def _write_names(self, keys: list[str]) -> None:
        for key in keys:
            if self._named.add(id(key) >> PLACE_SHIFT):
                self._encoder.name(id(key) >> PLACE_SHIFT, key)

    def _is_own(self, found: object) -> bool:
        return id(found) in self._own or id(type(found)) in self._own
