"""Heaps from recipes: lists of ingredients, each with a kind, a number, and the ingredients that it refers to.

Runs inside the program that is walked. An ingredient refers to earlier ones when it is created, and, if its kind is
mutable, later to later ones, so that there are cycles of all lengths.
"""

from __future__ import annotations

import collections
import functools
import types
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Ingredient: TypeAlias = tuple[str, int, list[int]]
Heap: TypeAlias = list[Any]


class Instance:
    pass


class Shared:
    """Instances that share a table of keys."""

    def __init__(self, number: int) -> None:
        self.first = number
        self.second: Any = None
        self.third: Any = None


class Slotted:
    __slots__ = ("__weakref__", "a", "b", "c")


class Both(Slotted):
    pass


class ListOf(list[Any]):
    pass


class DictOf(dict[Any, Any]):
    __slots__ = ("note",)

    note: list[int]


class TupleOf(tuple[Any, ...]):  # noqa: SLOT001  # its attributes are the point
    pass


def _list(number: int, others: Sequence[Any]) -> Any:
    return [*others, number]


def _tuple(number: int, others: Sequence[Any]) -> Any:
    return (*others, number)


def _dict(number: int, others: Sequence[Any]) -> Any:
    return {f"{number}:{index}": other for index, other in enumerate(others)}


def _mixed_dict(number: int, others: Sequence[Any]) -> Any:
    return {(number, index) if index % 2 else f"k{index}": other for index, other in enumerate(others)}


def _punctured_dict(number: int, others: Sequence[Any]) -> Any:
    made = {f"{index}": index for index in range(number % 40)} | _dict(number, others)
    for index in range(0, number % 40, 3):
        del made[f"{index}"]
    return made


def _set(number: int, others: Sequence[Any]) -> Any:
    return {number, *map(str, range(number % 30)), *(id(other) for other in others)}


def _instance(number: int, others: Sequence[Any]) -> Any:
    made = Instance()
    for index, other in enumerate(others):
        setattr(made, f"a{(number + index) % 50}", other)
    if number % 3 == 0 and others:
        delattr(made, f"a{number % 50}")
    return made


def _shared(number: int, others: Sequence[Any]) -> Any:
    made = Shared(number)
    made.second, made.third = (*others, None, None)[:2]
    if number % 5 == 0:
        del made.first
    return made


def _materialised(number: int, others: Sequence[Any]) -> Any:
    made = _shared(number, others)
    vars(made)[f"more{number % 7}"] = list(others)
    return made


def _slotted(number: int, others: Sequence[Any]) -> Any:
    made = Slotted()
    for name, other in zip("abc", others, strict=False):
        setattr(made, name, other)
    return made


def _both(number: int, others: Sequence[Any]) -> Any:
    made = Both()
    for name, other in zip("cde", others, strict=False):
        setattr(made, name, other)
    return made


def _function(number: int, others: Sequence[Any]) -> Any:
    first, rest = [number], list(others)

    def inner(a: Any = tuple(others), *, b: Any = number) -> Any:
        return first, rest, a, b

    return inner


def _list_of(number: int, others: Sequence[Any]) -> Any:
    made = ListOf(others)
    if number % 2:
        made.note = number  # type: ignore[attr-defined]
    return made


def _dict_of(number: int, others: Sequence[Any]) -> Any:
    made = DictOf(_dict(number, others))
    if number % 2:
        made.note = [number]
    return made


def _tuple_of(number: int, others: Sequence[Any]) -> Any:
    made = TupleOf(others)
    made.note = number  # type: ignore[attr-defined]
    return made


def _generator(number: int, others: Sequence[Any]) -> Any:
    def generate() -> Any:
        held = [*others]
        yield held
        yield number

    made = generate()
    if number % 2:
        next(made)
    return made


def _fail(*arguments: Any) -> None:
    raise ValueError(*arguments)


def _exception(number: int, others: Sequence[Any]) -> Any:
    try:
        _fail(number, *others)
    except ValueError as error:
        return error


def _ignore(*_: Any) -> None:
    """Called when the target of a weak reference goes."""


def _weak(number: int, others: Sequence[Any]) -> Any:
    target = Shared if number % 2 else Shared(number)
    return weakref.ref(target, functools.partial(_ignore, *others))


MAKERS: dict[str, Callable[[int, Sequence[Any]], Any]] = {
    "int": lambda n, others: n + (1 << n % 200),
    "float": lambda n, others: n / 7,
    "str": lambda n, others: ("x", "é", "中", "\U0001f600")[n % 4] * (n % 90),
    "bytes": lambda n, others: bytes(n % 200),
    "bytearray": lambda n, others: bytearray(n % 200),
    "list": _list,
    "tuple": _tuple,
    "dict": _dict,
    "mixed dict": _mixed_dict,
    "punctured dict": _punctured_dict,
    "set": _set,
    "frozenset": lambda n, others: frozenset(_set(n, others)),
    "deque": lambda n, others: collections.deque([*others, *range(n % 150)]),
    "ordered dict": lambda n, others: collections.OrderedDict(_mixed_dict(n, others)),
    "default dict": lambda n, others: collections.defaultdict(list, _dict(n, others)),
    "instance": _instance,
    "shared": _shared,
    "materialised": _materialised,
    "slotted": _slotted,
    "both": _both,
    "function": _function,
    "method": lambda n, others: types.MethodType(print, [*others]),
    "partial": lambda n, others: functools.partial(print, *others, key=n),
    "property": lambda n, others: property(functools.partial(print, *others)),
    "cell": lambda n, others: types.CellType([*others]) if n % 3 else types.CellType(),
    "proxy": lambda n, others: types.MappingProxyType(_dict(n, others)),
    "iterator": lambda n, others: iter([*others, n]),
    "list of": _list_of,
    "dict of": _dict_of,
    "tuple of": _tuple_of,
    "generator": _generator,
    "exception": _exception,
    "weak": _weak,
}


def made(recipe: Sequence[Ingredient]) -> Heap:
    """Return the objects of a recipe, in order."""
    heap: Heap = []
    for kind, number, others in recipe:
        heap.append(MAKERS[kind](number, [heap[other] for other in others if other < len(heap)]))
    for found, (_, _, others) in zip(heap, recipe, strict=True):
        _close_cycles(found, [heap[other] for other in others if other < len(heap)])
    return heap


def _close_cycles(found: Any, others: Sequence[Any]) -> None:
    if isinstance(found, list | collections.deque):
        found.extend(others)
    elif type(found) is dict:
        found.update((f"cycle {index}", other) for index, other in enumerate(others))
    elif isinstance(found, Instance | Both | Slotted) and others:
        found.a = others[0]  # type: ignore[union-attr]
    elif isinstance(found, Shared) and others:
        found.third = others[0]
