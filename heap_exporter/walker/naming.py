"""Names and sizes of objects, found without running a line of the application's code.

A metaclass can override attribute access, equality and hashing, and a class can override ``__sizeof__``;
so everything here goes through the descriptors of ``type`` itself, and types are told apart by ``id``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeGuard

LONGEST_NAME = 120
"""Characters of a type name that are kept; a metric label of more helps nobody."""

_MODULE = type.__dict__["__module__"].__get__
_QUALNAME = type.__dict__["__qualname__"].__get__
_MRO = type.__dict__["__mro__"].__get__
_NAMESPACE = type.__dict__["__dict__"].__get__
_HAVE_GC = 1 << 14  # Py_TPFLAGS_HAVE_GC
_METHOD_IN_C = type(object.__sizeof__)
_FLAGS = type.__dict__["__flags__"].__get__
_ITEMSIZE = type.__dict__["__itemsize__"].__get__
_GC_HEADER_BYTES = sys.getsizeof([]) - [].__sizeof__()


def module_of(cls: type) -> str:
    """Return the module a class says it was defined in, or ``""``."""
    module = _MODULE(cls)
    return module if type(module) is str else ""


def type_name(cls: type) -> str:
    """Return the qualified name of a class, without the module for builtins, at most 120 characters."""
    module, name = module_of(cls), _QUALNAME(cls)
    full = name if module in ("builtins", "") else f"{module}.{name}"
    full = full.encode("utf-8", "backslashreplace").decode()  # a name may hold half a character, a metric may not
    return full if len(full) <= LONGEST_NAME else f"{full[: LONGEST_NAME - 1]}…"


def sizer(cls: type) -> Callable[[object], int]:
    """Return a function from an instance of ``cls`` to its shallow size in bytes that runs no Python code."""
    for base in _MRO(cls):
        method = _NAMESPACE(base).get("__sizeof__")
        if method is not None:
            return sys.getsizeof if type(method) is _METHOD_IN_C else _plain_size
    return _plain_size


def has_one_size(cls: type) -> bool:
    """Return whether all instances of ``cls`` are of one size by their layout."""
    if _ITEMSIZE(cls):
        return False
    return next(base for base in _MRO(cls) if "__sizeof__" in _NAMESPACE(base)) is object


def has_referents(cls: type) -> bool:
    """Return whether instances of ``cls`` can tell the collector what they refer to."""
    return bool(_FLAGS(cls) & _HAVE_GC)


def is_subclass(cls: type, of: type) -> bool:
    """Return whether ``of`` is among the bases of ``cls``, which no metaclass is asked."""
    return any(base is of for base in _MRO(cls))


def namespace_keys(cls: type) -> list[object]:
    """Return the keys of the namespace of a class."""
    return list(_NAMESPACE(cls))


def is_identifier(key: object) -> TypeGuard[str]:
    """Return whether a key of a namespace is the name of an attribute, and no data that was put among them."""
    return type(key) is str and len(key) <= LONGEST_NAME and key.isidentifier()


def tuple_bytes(length: int) -> int:
    """Return the shallow size of a tracked tuple of so many items."""
    return tuple.__basicsize__ + length * tuple.__itemsize__ + _GC_HEADER_BYTES


def _plain_size(instance: object) -> int:
    return object.__sizeof__(instance) + _GC_HEADER_BYTES
