"""What an edge means: each edge of a node with what the shape of the node says of it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from heap_exporter.heapfile.format import MAPPING, NO_TAIL, SEQUENCE, WEAK
from heap_exporter.heapfile.records import NodeRecord


class Role(StrEnum):
    """What a node refers to another node as."""

    NAMED = "named"
    ITEM = "item"
    KEY = "key"
    VALUE = "value"
    REFERENT = "referent"


class Edge(NamedTuple):
    """A reference to the object at the place ``target``.

    ``name`` is that of a NAMED edge; ``position`` that of an ITEM in its sequence, or of a KEY and its VALUE in their
    mapping; ``key`` is the place of a VALUE's key. A weak reference keeps nothing alive.
    """

    target: int
    role: Role
    name: str = ""
    position: int | None = None
    key: int | None = None
    weak: bool = False


def edges(node: NodeRecord) -> Iterator[Edge]:
    """Yield the edges of a node in order, those that refer to nothing left out."""
    shape = node.shape
    named = len(shape.edge_names)
    for position, (target, name) in enumerate(zip(node.edges, shape.edge_names, strict=False)):
        if target:
            weak = bool(shape.flags & WEAK) and position == 0
            yield Edge(target, Role.NAMED if name else Role.REFERENT, name, weak=weak)
    kind = None if shape.flags & NO_TAIL else shape.type.kind
    key = 0
    for position, target in enumerate(islice(node.edges, named, None)):
        if kind == MAPPING and not position % 2:
            key = target
        if not target:
            continue
        if kind == SEQUENCE:
            yield Edge(target, Role.ITEM, position=position)
        elif kind == MAPPING and position % 2:
            yield Edge(target, Role.VALUE, position=position // 2, key=key)
        elif kind == MAPPING:
            yield Edge(target, Role.KEY, position=position // 2)
        else:
            weak = bool(shape.flags & WEAK) and not named and position == 0
            yield Edge(target, Role.REFERENT, weak=weak)
