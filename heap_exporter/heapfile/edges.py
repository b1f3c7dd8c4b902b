"""The edges of a snapshot file with their roles: each edge of a node combined with the node's shape."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from heap_exporter.heapfile.format import MAPPING, NO_TAIL, SEQUENCE, WEAK
from heap_exporter.heapfile.records import NodeRecord


class EdgeRole(StrEnum):
    """The role of an edge."""

    NAMED = "named"
    ITEM = "item"
    KEY = "key"
    VALUE = "value"
    REFERENT = "referent"


class Edge(NamedTuple):
    """A reference to the object at the place ``target``.

    ``name`` belongs to a NAMED edge. ``position`` is the index of an ITEM in its sequence, or of a KEY and its VALUE in
    their mapping. ``key`` is the place of a VALUE's key. ``weak`` marks a weak reference.
    """

    target: int
    role: EdgeRole
    name: str = ""
    position: int | None = None
    key: int | None = None
    weak: bool = False


def edges(node: NodeRecord) -> Iterator[Edge]:
    """Yield the edges of a NODE record in the order of the snapshot file, without the empty ones."""
    shape = node.shape
    named = len(shape.edge_names)
    for position, (target, name) in enumerate(zip(node.edges, shape.edge_names, strict=False)):
        if target:
            weak = bool(shape.flags & WEAK) and position == 0
            yield Edge(target, EdgeRole.NAMED if name else EdgeRole.REFERENT, name, weak=weak)
    kind = None if shape.flags & NO_TAIL else shape.type.kind
    key = 0
    for position, target in enumerate(islice(node.edges, named, None)):
        if kind == MAPPING and not position % 2:
            key = target
        if not target:
            continue
        if kind == SEQUENCE:
            yield Edge(target, EdgeRole.ITEM, position=position)
        elif kind == MAPPING and position % 2:
            yield Edge(target, EdgeRole.VALUE, position=position // 2, key=key)
        elif kind == MAPPING:
            yield Edge(target, EdgeRole.KEY, position=position // 2)
        else:
            weak = bool(shape.flags & WEAK) and not named and position == 0
            yield Edge(target, EdgeRole.REFERENT, weak=weak)
