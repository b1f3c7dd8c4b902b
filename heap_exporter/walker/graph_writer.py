"""Walks the heap from the given objects, and writes the graph of all objects that are reachable from them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice

from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import PLACE_SHIFT
from heap_exporter.walker.address_set import AddressSet
from heap_exporter.walker.layout import NOTHING, Layout, Referents
from heap_exporter.walker.naming import MAX_NAME_LENGTH, is_identifier

BATCH_OBJECTS = 200
BATCH_EDGES = 1000
"""Objects or edges written between two releases of the GIL: one or two milliseconds."""

IMMORTAL = 1 << 30
"""Objects with a reference count of at least this are immortal (CPython 3.12 and newer)."""

HELD_BY_BATCH = next(map(sys.getrefcount, [object()]))
"""The result of ``map(sys.getrefcount, batch)`` for an object that only the batch refers to."""


class GraphWriter:
    """Writes objects as nodes, each once.

    Objects whose ids are in ``own``, and instances of classes whose ids are, are left out; a reference to one is
    written as no reference. ``release_gil()`` is called between batches. With ``keys`` the keys of all dicts are
    written. No method keeps a reference to an object, but classes are kept until the end, so that no other object gets
    the address of one.
    """

    def __init__(self, encoder: GraphEncoder, own: set[int], release_gil: Callable[[], None], *, keys: bool) -> None:
        self.objects = 0
        self.references = 0
        self._encoder = encoder
        self._own = own | {id(NOTHING)}
        self._release_gil = release_gil
        self._keys = keys
        self._layouts: dict[int, Layout] = {}
        self._known = AddressSet()
        self._named = AddressSet()
        self._edges_since_release = 0

    def expect(self, objects: list[object]) -> None:
        """Announce objects of the heap for :meth:`write`, so that none is written earlier as a referent of another."""
        for found in objects:
            if found is not None and not self._is_own(found):
                self._known.add(id(found) >> PLACE_SHIFT)

    def write(self, pending: list[object]) -> None:
        """Walk the heap from the objects: write them and what is newly reachable from them; empty the list.

        :meth:`expect` was called with all of them. The list is the only reference of heap-exporter to them, and is
        subtracted from their reference counts.
        """
        pending[:] = [found for found in pending if found is not None and not self._is_own(found)]
        while pending:
            batch = pending[-BATCH_OBJECTS:]
            del pending[-BATCH_OBJECTS:]
            layouts = self._layouts
            # The counts are taken first: at this point only the batch refers to the objects.
            counts = [
                count - HELD_BY_BATCH - (id(found) in layouts)
                for count, found in zip(map(sys.getrefcount, batch), batch, strict=True)
            ]
            for found, count in zip(batch, counts, strict=True):
                self._write_node(found, 0 if count >= IMMORTAL else max(count, 1), pending)
            self._release_gil()

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
            self._write_names([key for key in list(found) if type(key) is str and 0 < len(key) <= MAX_NAME_LENGTH])

    def _write_edges(self, referents: Referents, fresh: list[object]) -> None:
        """Write the references of the current object of the walk, in pieces; to objects freed meanwhile as none."""
        targets = islice(referents.targets, referents.length)
        for begin in range(0, referents.length, BATCH_EDGES):
            piece = min(BATCH_EDGES, referents.length - begin)
            places = [self._target_place(target, fresh) for target in islice(targets, piece)]
            self._encoder.edges(places + [0] * (piece - len(places)))
            self.references += piece - places.count(0)
            self._edges_since_release += piece
            if self._edges_since_release >= BATCH_EDGES:
                self._edges_since_release = 0
                self._release_gil()

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
