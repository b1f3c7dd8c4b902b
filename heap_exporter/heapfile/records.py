"""The records of a snapshot, as they are read; :mod:`heap_exporter.heapfile.format` tells what they mean.

Types and shapes are numbered from 0, each as it appears.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple


class TypeRecord(NamedTuple):
    """A type. ``kind`` is PLAIN, SEQUENCE, MAPPING or SET of the format; ``place`` is 0 where it is unknown."""

    number: int
    name: str
    place: int
    kind: int


class ShapeRecord(NamedTuple):
    """How nodes of a type are laid out; ``size_bytes`` is None where each node has its own."""

    number: int
    type: TypeRecord
    flags: int
    size_bytes: int | None
    edge_names: tuple[str, ...]
    cell_names: tuple[str, ...]


class NameRecord(NamedTuple):
    """The identifier that the ``str`` object at ``place`` is."""

    place: int
    name: str


class ThreadRecord(NamedTuple):
    """A thread; its frames follow. ``native_id`` is 0 where it is unknown."""

    ident: int
    native_id: int


class FrameRecord(NamedTuple):
    """A frame of the last thread; what it holds follows. The innermost has depth 0."""

    depth: int
    function: str


class RootRecord(NamedTuple):
    """A hold on an object from outside the graph; ``owned`` if it counts in the object's reference count."""

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
    """An object; ``edges`` are the places it refers to, 0 where it refers to nothing.

    ``reference_count`` is 0 for an immortal object. :func:`heap_exporter.heapfile.edges.edges` labels the edges.
    """

    place: int
    shape: ShapeRecord
    size_bytes: int
    reference_count: int
    edges: array[int]


Record = TypeRecord | ShapeRecord | NameRecord | ThreadRecord | FrameRecord | RootRecord | CountRecord | NodeRecord
