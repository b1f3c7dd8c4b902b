"""Heap-exporter's own objects, which a heap walk leaves out.

They are the instances of its classes, and the objects that are reachable from its modules and from the given roots
without passing through a module, class, function or instance of another package.
"""

from __future__ import annotations

import builtins
import collections
import gc
import sys
import types
from collections.abc import Iterable
from typing import NamedTuple

from heap_exporter.walker.naming import module_of

PACKAGE = "heap_exporter"

_CONTAINERS = frozenset(
    id(cls)
    for cls in (
        dict, list, tuple, set, frozenset, property, staticmethod, classmethod, collections.deque,
        types.CellType, types.CodeType, types.MappingProxyType, types.GenericAlias, types.UnionType,
        types.GetSetDescriptorType, types.MemberDescriptorType,
    )
)  # fmt: skip  # a list of names
"""Types whose instances belong to the object that refers to them; without those of the application's callbacks."""


SHARED_OBJECTS = (builtins.__dict__, sys.modules, sys, gc.callbacks, ())
"""Objects that heap-exporter's modules share with the application."""


class OwnObjects(NamedTuple):
    """The ids of all objects that a heap walk leaves out, and the lengths of the tracked exact tuples among them."""

    ids: set[int]
    tuple_lengths: list[int]


def own_objects(roots: Iterable[object]) -> OwnObjects:
    """Return heap-exporter's own objects, which a heap walk leaves out, including the result itself."""
    shared = {id(found) for found in SHARED_OBJECTS}
    own: set[int] = set()
    tuple_lengths: list[int] = []
    pending: list[object] = [*own_modules(), *roots]
    own |= {id(own), id(tuple_lengths), id(pending)}
    while pending:
        found = pending.pop()
        if id(found) in own or id(found) in shared or not _is_own(found):
            continue
        own.add(id(found))
        if type(found) is tuple and gc.is_tracked(found):
            tuple_lengths.append(len(found))
        pending.extend(gc.get_referents(found))
    return OwnObjects(own, tuple_lengths)


def own_modules() -> list[types.ModuleType]:
    """Return the loaded modules of heap-exporter, which a heap walk leaves out."""
    # copy() is atomic; iteration would let other threads import meanwhile.
    return [module for name, module in sys.modules.copy().items() if in_package(name)]


def _is_own(found: object) -> bool:
    cls = type(found)
    if id(cls) in _CONTAINERS:
        return True
    if issubclass(cls, type):
        return in_package(module_of(found))  # type: ignore[arg-type]  # its class says that it is one
    if cls is types.FunctionType or cls is types.ModuleType:
        namespace = found.__globals__ if cls is types.FunctionType else found.__dict__  # type: ignore[attr-defined]  # by its class
        return in_package(namespace.get("__name__"))
    return is_own_class(cls)


def is_own_class(cls: type) -> bool:
    """Return whether heap-exporter defines a class, so that a heap walk leaves its instances out."""
    return in_package(module_of(cls))


def in_package(name: object) -> bool:
    """Return whether this is the name of a module of heap-exporter, which a heap walk leaves out."""
    return type(name) is str and (name == PACKAGE or name.startswith(f"{PACKAGE}."))
