"""The layout of the instances of a class, as far as Python shows it: their size and their references."""

from __future__ import annotations

import gc
import types
import weakref
from collections.abc import Callable, Iterable
from itertools import chain
from typing import NamedTuple

from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import MAPPING, PLACE_SHIFT, PLAIN, SEQUENCE, SET
from heap_exporter.walker.naming import has_one_size, has_referents, is_subclass, namespace_keys, sizer, type_name

KINDS = {id(list): SEQUENCE, id(tuple): SEQUENCE, id(dict): MAPPING, id(set): SET, id(frozenset): SET}
"""Kinds of the exact types; the references of a subclass have another order."""

NOTHING = object()
"""Stands for the target of a weak reference to a freed object."""

_MODULE_NAMESPACE = vars(types.ModuleType)["__dict__"].__get__
_WEAK_TARGET = weakref.ref.__call__


class Referents(NamedTuple):
    """The references of an object: ``length`` ``targets``, or fewer if the object changes meanwhile."""

    length: int
    targets: Iterable[object]


class Layout:
    """The layout of the instances of ``cls`` in a heap walk, written to ``encoder`` as a shape."""

    __slots__ = ("attribute_keys", "cls", "referents", "shape", "size", "size_bytes")

    def __init__(self, cls: type, instance: object, encoder: GraphEncoder) -> None:
        self.cls = cls
        self.size = sizer(cls)
        self.size_bytes = self.size_of(instance) if has_one_size(cls) else None
        self.referents = _referents(cls) if has_referents(cls) else None
        self.attribute_keys = _attribute_keys(cls)
        self.shape = encoder.shape(
            encoder.type(type_name(cls), id(cls) >> PLACE_SHIFT, KINDS.get(id(cls), PLAIN)),
            size_bytes=self.size_bytes,
            leaf=self.referents is None,
            weak=self.referents is _of_weak_reference,
            edge_names=("__dict__",) if self.referents in (_of_module, _of_class) else (),
        )

    def size_of(self, instance: object) -> int:
        """Return the shallow size of a walked object in bytes, 0 if its ``__sizeof__`` fails."""
        try:
            return self.size(instance)
        except Exception:  # another package's __sizeof__ may fail; the object is written anyway
            return 0


def _referents(cls: type) -> Callable[..., Referents]:
    if cls is list or cls is tuple:
        return _of_sequence
    if cls is dict:
        return _of_dict
    if cls is types.ModuleType:
        return _of_module
    if is_subclass(cls, type):
        return _of_class
    return _of_weak_reference if is_subclass(cls, weakref.ref) else _of_any


def _of_sequence(found: list[object] | tuple[object, ...]) -> Referents:
    return Referents(len(found), found)


def _of_dict(found: dict[object, object]) -> Referents:
    # One call into C copies both, so that no other thread changes the dict in between.
    keys, values = list(map(list, (found, found.values())))
    return Referents(2 * min(len(keys), len(values)), chain.from_iterable(zip(keys, values, strict=False)))


def _of_weak_reference(found: weakref.ref[object]) -> Referents:
    target = _WEAK_TARGET(found)
    targets = [NOTHING if target is None else target, *gc.get_referents(found)]
    return Referents(len(targets), targets)


def _of_module(found: types.ModuleType) -> Referents:
    return _namespace_first(found, lambda target: target is _MODULE_NAMESPACE(found))


def _of_class(found: type) -> Referents:
    return _namespace_first(found, lambda target: type(target) is dict)


def _namespace_first(found: object, is_namespace: Callable[[object], bool]) -> Referents:
    targets = gc.get_referents(found)
    place = next((place for place, target in enumerate(targets) if is_namespace(target)), None)
    namespace = NOTHING if place is None else targets.pop(place)
    return Referents(len(targets) + 1, [namespace, *targets])


def _of_any(found: object) -> Referents:
    targets = gc.get_referents(found)
    return Referents(len(targets), targets)


def _attribute_keys(cls: type) -> Callable[..., Iterable[object]] | None:
    """Return a function from a walked object to the attribute names in it, ``None`` for classes without any."""
    if is_subclass(cls, type):
        return namespace_keys
    if is_subclass(cls, types.ModuleType):
        return lambda module: list(_MODULE_NAMESPACE(module) or ())
    if cls is types.CodeType:
        return lambda code: code.co_names
    return None
