"""Values: numbers, texts, and containers."""

from __future__ import annotations

import array
import collections
import sys
import types
from collections.abc import Callable
from typing import Any


def _emptied(number: int) -> set[Any]:
    made: set[Any] = {f"{number}-{index}" for index in range(100)}
    for index in range(90):
        made.discard(f"{number}-{index}")
    return made


def _holed(number: int) -> dict[Any, Any]:
    made: dict[Any, Any] = {f"k{number}-{index}": [index] for index in range(40)}
    for index in range(0, 40, 2):
        del made[f"k{number}-{index}"]
    return made


def _mixed_dict(number: int) -> dict[Any, Any]:
    return {"text": 1, number + 1000: "two", (number, "key"): [3], None: 4.5, b"b": {}}


def _was_mixed(number: int) -> dict[Any, Any]:
    made: dict[Any, Any] = {number: 1, "a": [number]}
    del made[number]
    return made


def _utf8_cached(number: int) -> str:
    made = f"naïve {number}"
    type(made, (), {})  # a class keeps its name in UTF-8, and so does the str it was made with
    return made


def _ring(number: int) -> list[Any]:
    made: list[Any] = [number]
    made.append({"back": made})
    return made


def _deque(number: int) -> collections.deque[Any]:
    made: collections.deque[Any] = collections.deque(([index] for index in range(number % 200)), maxlen=150)
    made.rotate(3)
    return made


def _ordered(number: int) -> collections.OrderedDict[Any, Any]:
    made = collections.OrderedDict((f"{number}-{index}", [index]) for index in range(20))
    made.move_to_end(f"{number}-3")
    del made[f"{number}-5"]
    return made


def _eaten(number: int) -> bytearray:
    made = bytearray(number % 300 + 50)
    del made[:20]
    return made


DATA: dict[str, Callable[[int], Any]] = {
    "list": lambda n: [n, [n], None, f"in a list {n}"],
    "empty list": lambda n: [],
    "grown list": lambda n: [*range(1000, 1000 + n % 50), n],
    "tuple": lambda n: (n, [n], f"in a tuple {n}"),
    "tuple of atoms": lambda n: (n + 1000, float(n), f"atom {n}"),
    "dict": lambda n: {f"key {n}": [n], "other": f"value {n}"},
    "empty dict": lambda n: {},
    "dict of atoms": lambda n: {"a": n + 1000, "b": f"b {n}"},
    "dict with holes": _holed,
    "dict with keys of all kinds": _mixed_dict,
    "dict once of all kinds": _was_mixed,
    "big dict": lambda n: {f"big {n} {index}": index for index in range(500)},
    "set": lambda n: {n + 1000, f"set {n}", (n, "x")},
    "set after deletions": _emptied,
    "big set": lambda n: set(range(1000 * n, 1000 * n + 300)),
    "frozenset": lambda n: frozenset({n + 1000, f"frozen {n}"}),
    "deque": _deque,
    "ordered dict": _ordered,
    "default dict": lambda n: collections.defaultdict(list, {n: [n], f"k{n}": [2]}),
    "counter": lambda n: collections.Counter([f"c{n}", f"c{n}", "d"]),
    "chain map": lambda n: collections.ChainMap({f"c{n}": [n]}, {}),
    "array of ints": lambda n: array.array("q", range(n % 100)),
    "array of doubles": lambda n: array.array("d", [0.5] * (n % 77)),
    "bytearray": lambda n: bytearray(n % 300),
    "bytearray eaten from its front": _eaten,
    "bytes": lambda n: b"b" * (n % 300 + 2),
    "int": lambda n: n + 100_000,
    "negative int": lambda n: -n - 100_000,
    "big int": lambda n: (1 << (n % 2000 + 64)) + n,
    "float": lambda n: n + 0.5,
    "complex": lambda n: complex(n, 1),
    "str ascii": lambda n: f"text {n} " * (n % 9 + 1),
    "str latin": lambda n: f"tëxt {n}",
    "str wide": lambda n: f"te\u4e2dt {n}",
    "str astral": lambda n: f"te\U0001f600t {n}",
    "str with utf-8": _utf8_cached,
    "str interned": lambda n: sys.intern(f"interned_{n}"),
    "bool": lambda n: n % 2 == 0,
    "none": lambda n: None,
    "ellipsis": lambda n: ...,
    "range": lambda n: range(n, n + 100_000, 3),
    "range iterator": lambda n: iter(range(n + 5000)),
    "slice": lambda n: slice(n + 1000, [n], None),
    "mapping proxy": lambda n: types.MappingProxyType({f"p{n}": [n]}),
    "dict keys": lambda n: {f"v{n}": [n]}.keys(),
    "dict items": lambda n: {f"v{n}": [n]}.items(),
    "memory view": lambda n: memoryview(bytearray(n % 50 + 1))[1:],
    "memory view of an array": lambda n: memoryview(array.array("i", [n])),
    "ring": _ring,
}
