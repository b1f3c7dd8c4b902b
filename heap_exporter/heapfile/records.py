"""The records of a snapshot file as they are read; :mod:`heap_exporter.heapfile.format` describes them.

Types and shapes are numbered from 0 in order of appearance.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple


class TypeRecord(NamedTuple):
    """A type. ``kind`` is PLAIN, SEQUENCE, MAPPING or SET of the format; ``place`` is 0 if unknown."""

    number: int
    name: str
    place: int
    kind: int


class ShapeRecord(NamedTuple):
    """The layout of nodes of a type; ``size_bytes`` is None if each node has its own size."""

    number: int
    type: TypeRecord
    flags: int
    size_bytes: int | None
    edge_names: tuple[str, ...]
    cell_names: tuple[str, ...]


class NameRecord(NamedTuple):
    """The value of the ``str`` object at ``place``, an identifier."""

    place: int
    name: str


class ThreadRecord(NamedTuple):
    """A thread; its frames follow. ``native_id`` is 0 if unknown."""

    ident: int
    native_id: int


class FrameRecord(NamedTuple):
    """A frame of the last thread; its roots follow. The innermost has depth 0."""

    depth: int
    function: str


class RootRecord(NamedTuple):
    """A reference from outside the graph; ``owned`` if the object's reference count includes it."""

    role: int
    owned: bool
    name: str
    place: int


class CountRecord(NamedTuple):
    """A row of a census."""

    type: TypeRecord
    objects: int
    size_bytes: int


class NodeRecord(NamedTuple):
    """An object; ``edges`` are the places of its referents, 0 for an empty reference.

    ``reference_count`` is 0 for an immortal object. :func:`heap_exporter.heapfile.edges.edges` labels the edges.
    """

    place: int
    shape: ShapeRecord
    size_bytes: int
    reference_count: int
    edges: array[int]


Record = TypeRecord | ShapeRecord | NameRecord | ThreadRecord | FrameRecord | RootRecord | CountRecord | NodeRecord
