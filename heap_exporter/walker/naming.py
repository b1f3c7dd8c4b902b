"""Names and sizes of the objects in a heap walk, read without running the application's code.

A metaclass can override attribute access, equality and hashing, and a class can override ``__sizeof__``. So everything
here uses the descriptors of ``type``, and compares types by ``id``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeGuard

MAX_NAME_LENGTH = 120
"""Maximum characters of a type name: longer metric labels are not readable."""

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
    """Return the ``__module__`` of a class in a heap walk, ``""`` if it has no valid one."""
    module = _MODULE(cls)
    return module if type(module) is str else ""


def type_name(cls: type) -> str:
    """Return the type name of a walked object's class: qualified, without ``builtins``, at most 120 characters."""
    module, name = module_of(cls), _QUALNAME(cls)
    full = name if module in ("builtins", "") else f"{module}.{name}"
    full = full.encode("utf-8", "backslashreplace").decode()  # a label must not contain a lone surrogate
    return full if len(full) <= MAX_NAME_LENGTH else f"{full[: MAX_NAME_LENGTH - 1]}…"


def sizer(cls: type) -> Callable[[object], int]:
    """Return a function from a walked instance of ``cls`` to its shallow size in bytes; it runs no Python code."""
    for base in _MRO(cls):
        method = _NAMESPACE(base).get("__sizeof__")
        if method is not None:
            return sys.getsizeof if type(method) is _METHOD_IN_C else _plain_size
    return _plain_size


def has_one_size(cls: type) -> bool:
    """Return whether all instances of ``cls`` that a heap walk finds have the same size."""
    if _ITEMSIZE(cls):
        return False
    return next(base for base in _MRO(cls) if "__sizeof__" in _NAMESPACE(base)) is object


def has_referents(cls: type) -> bool:
    """Return whether a heap walk can follow the references of instances of ``cls`` with the garbage collector."""
    return bool(_FLAGS(cls) & _HAVE_GC)


def is_subclass(cls: type, of: type) -> bool:
    """Return whether a walked class is a subclass of ``of``, without calling its metaclass."""
    return any(base is of for base in _MRO(cls))


def namespace_keys(cls: type) -> list[object]:
    """Return the keys of the namespace of a class that a heap walk has found."""
    return list(_NAMESPACE(cls))


def is_identifier(key: object) -> TypeGuard[str]:
    """Return whether a key in a walked namespace can be the name of an attribute, as opposed to data."""
    return type(key) is str and len(key) <= MAX_NAME_LENGTH and key.isidentifier()


def tuple_bytes(length: int) -> int:
    """Return the shallow size in bytes of a tuple of ``length`` items that a heap walk has found."""
    return tuple.__basicsize__ + length * tuple.__itemsize__ + _GC_HEADER_BYTES


def _plain_size(instance: object) -> int:
    return object.__sizeof__(instance) + _GC_HEADER_BYTES
