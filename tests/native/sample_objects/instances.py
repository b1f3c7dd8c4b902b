"""Instances of classes of all makes, classes, modules, and weak references."""

from __future__ import annotations

import collections
import enum
import functools
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Plain:
    """Attributes in the instance itself, until ``__dict__`` is read."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.items = [number]

    def method(self) -> int:
        return self.number


class Wide:
    """More attributes than a shared table of keys takes."""

    def __init__(self, number: int) -> None:
        for index in range(45):
            setattr(self, f"a{index}", [number, index])


class Slotted:
    __slots__ = ("__weakref__", "empty", "first", "second")

    def __init__(self, number: int) -> None:
        self.first = [number]
        self.second = f"second {number}"


class SlottedChild(Slotted):
    """Slots, and a dict of attributes."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.other = {"number": number}


class Meta(type):
    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Meta:
        return super().__new__(cls, name, bases, {**namespace, "registry": [name]})


class Colour(enum.Enum):
    RED = "red"
    BLUE = (1, [2])


class Flags(enum.IntFlag):
    READ = 1
    WRITE = 2


@dataclass
class Record:
    number: int
    parts: list[int]


@dataclass(slots=True, frozen=True)
class Point:
    x: float
    y: list[float]


class Pair(NamedTuple):
    left: int
    right: list[int]


Old = collections.namedtuple("Old", "one two")  # noqa: PYI024  # the old way is a kind too


class Box(Generic[T]):
    def __init__(self, content: T) -> None:
        self.content = content


class ListChild(list[Any]):
    pass


class SlottedListChild(list[Any]):
    __slots__ = ("note",)

    note: str


class DictChild(dict[Any, Any]):
    pass


class TupleChild(tuple[Any, ...]):  # noqa: SLOT001  # its attributes are the point
    pass


class SetChild(set[Any]):
    pass


class FrozenSetChild(frozenset[Any]):
    pass


class StrChild(str):  # noqa: SLOT000  # its attributes are the point
    pass


class IntChild(int):
    pass


class FloatChild(float):
    pass


class BytesChild(bytes):
    pass


class ByteArrayChild(bytearray):
    pass


class DequeChild(collections.deque[Any]):
    pass


class OrderedChild(collections.OrderedDict[Any, Any]):
    pass


VALUES = Plain(7)
"""What many weak references refer to."""


def with_attributes(made: Any, number: int) -> Any:
    made.note = [number]
    made.other = f"other {number}"
    return made


def _materialised(number: int) -> Plain:
    made = Plain(number)
    vars(made)["more"] = [number]
    return made


def _held_dict(number: int) -> dict[str, Any]:
    return vars(Plain(number))


def _shrunk(number: int) -> Plain:
    made = Plain(number)
    made.extra = number  # type: ignore[attr-defined]
    del made.items
    return made


def _reordered(number: int) -> Plain:
    made = Plain(number)
    del made.number
    made.number = number + 1000
    return made


def _class(number: int) -> type:
    return Meta(f"Made{number}", (Plain,), {"__slots__": ("x",), "shared": [number]})


def _module(number: int) -> types.ModuleType:
    made = types.ModuleType(f"made_{number}", "a module")
    made.content = [number]  # type: ignore[attr-defined]
    return made


def _weak_set(number: int) -> Any:
    target = Plain(number)
    return weakref.WeakSet([target]), target


def _proxy(number: int) -> Any:
    target = Plain(number)
    return weakref.proxy(target), target


def _slotted_list(number: int) -> SlottedListChild:
    made = SlottedListChild([number, [number]])
    made.note = f"note {number}"
    return made


def _weak(number: int) -> Any:
    return weakref.ref(VALUES, functools.partial(print, [number]))


INSTANCES: dict[str, Callable[[int], Any]] = {
    "split dict": _held_dict,
    "instance": Plain,
    "instance with a dict": _materialised,
    "instance less an attribute": _shrunk,
    "instance reordered": _reordered,
    "wide instance": Wide,
    "bare instance": lambda n: object(),
    "slots": Slotted,
    "slots and attributes": SlottedChild,
    "dataclass": lambda n: Record(n, [n]),
    "dataclass with slots": lambda n: Point(n + 0.25, [n]),
    "named tuple": lambda n: Pair(n, [n]),
    "old named tuple": lambda n: Old(f"one {n}", [n]),
    "generic": Box[int],
    "generic alias": lambda n: Box[int] if n else list[int],
    "builtin alias": lambda n: dict[str, list[int]],
    "union": lambda n: int | None,
    "enum": lambda n: Colour.BLUE,
    "flag": lambda n: Flags.READ | Flags.WRITE,
    "class": _class,
    "module": _module,
    "list child": lambda n: with_attributes(ListChild([n, [n]]), n),
    "list child with slots": _slotted_list,
    "dict child": lambda n: with_attributes(DictChild({f"k{n}": [n], n: 2}), n),
    "tuple child": lambda n: with_attributes(TupleChild((n, [n])), n),
    "set child": lambda n: with_attributes(SetChild({n, f"s{n}"}), n),
    "frozenset child": lambda n: with_attributes(FrozenSetChild({n, f"s{n}"}), n),
    "str child": lambda n: with_attributes(StrChild(f"child {n}"), n),
    "int child": lambda n: with_attributes(IntChild(n + (1 << 70)), n),
    "float child": lambda n: with_attributes(FloatChild(n + 0.5), n),
    "bytes child": lambda n: with_attributes(BytesChild(b"x" * (n % 40)), n),
    "bytearray child": lambda n: with_attributes(ByteArrayChild(b"x" * (n % 40)), n),
    "deque child": lambda n: with_attributes(DequeChild([n, [n]]), n),
    "ordered child": lambda n: with_attributes(OrderedChild([(f"k{n}", [n]), (n, 2)]), n),
    "namespace": lambda n: types.SimpleNamespace(one=[n], two=f"two {n}"),
    "weak reference": _weak,
    "dead weak reference": lambda n: weakref.ref(Plain(n)),
    "weak proxy": _proxy,
    "weak set": _weak_set,
    "weak dict": lambda n: weakref.WeakValueDictionary({f"w{n}": VALUES}),
    "super": lambda n: super(SlottedChild, SlottedChild(n)),
    "bound method": lambda n: Plain(n).method,
    "type variable": lambda n: TypeVar(f"T{n}"),
}
