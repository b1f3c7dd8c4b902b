"""CPython's own view of its heap: everything reachable through ``gc.get_objects()`` and ``gc.get_referents()``.

Runs inside the program that is walked. The walk takes place between two moments of the oracle: an object that is the
same in both was there, unchanged, during the walk. Neither moment contains the oracle's own data.

``gc.get_referents()`` does not return the keys of dicts that have only ``str`` keys, so the oracle reads them from each
dict, and separates objects that are reachable only through them.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import sys
import weakref
from array import array
from collections import Counter, OrderedDict
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any, NamedTuple

from heap_exporter.heapfile.format import PLACE_SHIFT
from heap_exporter.walker.naming import type_name
from heap_exporter.walker.own_objects import is_own_class

ctypes.pythonapi.PyThreadState_GetDict.restype = ctypes.c_void_p

IN_ORDER = frozenset({list, tuple, dict})
"""The types whose edges have an order that Python code can determine."""


class Moment(NamedTuple):
    """All objects at one time as parallel arrays: ids, ids of their types, and hashes of the expected data."""

    ids: array[int]
    types: array[int]
    expectations: array[int]


def edges(found: object) -> list[object]:
    """Return the objects that a node's edges lead to, in order for those types where that is known.

    Nothing stands for the values of a dict that are in the instance it belongs to (3.13): that refers to them.
    """
    referents = gc.get_referents(found)
    if type(found) is dict:
        elsewhere = found and not set(map(id, found.values())) <= set(map(id, referents))
        return list(found) if elsewhere else list(itertools.chain.from_iterable(found.items()))
    if type(found) is list or type(found) is tuple:
        return list(found)
    if issubclass(type(found), dict):
        visits = Counter(map(id, referents))
        keys: Any = dict.keys(found)  # type: ignore[arg-type]  # by its class
        # An OrderedDict has its keys twice: in the dict, and in a list, which the collector does visit.
        holds = 2 if issubclass(type(found), OrderedDict) else 1
        referents += [key for key in keys if visits[id(key)] < holds]
    return referents


def is_table_of_interned(found: object) -> bool:
    """Return whether this is the interpreter's table of interned strings (tracked in 3.14); it counts no reference."""
    if type(found) is not dict or len(found) < 1000:
        return False
    return all(key is value for key, value in itertools.islice(found.items(), 1000))


def closure(left_out: Container[int], *, with_keys: bool = True) -> list[object]:
    """Return all reachable objects, each once, but not through those created here or those ``left_out``."""
    reached: list[object] = []
    pending = [*gc.get_objects(), _thread_data()]
    seen: set[int] = {id(pending), id(reached), id(left_out)}
    seen.add(id(seen))
    follow = edges if with_keys else gc.get_referents
    while pending:
        found = pending.pop()
        if id(found) not in seen and id(found) not in left_out and not is_own_class(type(found)):
            seen.add(id(found))
            reached.append(found)
            pending += follow(found)
    return reached


def _thread_data() -> object:
    """Return the dict behind this thread's ``threading.local`` objects, which only the interpreter refers to."""
    return ctypes.cast(ctypes.pythonapi.PyThreadState_GetDict(), ctypes.py_object).value


def moment(own: set[int]) -> Moment:
    """Return the current objects, without those that are reachable only through heap-exporter's own objects."""
    ids, types, expectations = array("Q"), array("Q"), array("q")
    reached = closure({*own, id(own), id(ids), id(types), id(expectations)})
    for found in reached:
        ids.append(id(found))
        types.append(id(type(found)))
        expectations.append(hash((sys.getsizeof(found), *map(id, edges(found)))))
    return Moment(ids, types, expectations)


def unchanged(before: Moment, after: Moment) -> set[int]:
    """Return the ids of the objects that exist and are equal at both times."""
    return {found for found, *_ in set(zip(*before, strict=True)) & set(zip(*after, strict=True))}


def describe(found: object) -> dict[str, Any]:
    """Return the expected data of an object in a snapshot, with places instead of ids."""
    return {
        "place": id(found) >> PLACE_SHIFT,
        "class": id(type(found)) >> PLACE_SHIFT,
        "type": type_name(type(found)),
        "bytes": sys.getsizeof(found),
        "edges": [] if is_table_of_interned(found) else [id(target) >> PLACE_SHIFT for target in edges(found)],
        "in_order": type(found) in IN_ORDER,
        "weak": issubclass(type(found), weakref.ref) or type(found) in weakref.ProxyTypes,
    }


def write_expectations(walk: Callable[[str], object], own: Callable[[], set[int]], path: Path) -> None:
    """Walk twice, as ``walk("as-it-comes")`` and ``walk("frozen")``, and write the expected result to ``path`` as JSON.

    ``own()`` returns the ids of the exporter's own objects, which a walk leaves out. The second walk is done on a heap
    put aside by ``gc.freeze()``.
    """
    gc.collect()
    gc.disable()
    for _ in range(2):  # the first time fills the interpreter's caches
        moment(own())
    before = moment(own())
    walk("as-it-comes")
    gc.freeze()
    walk("frozen")
    gc.unfreeze()
    after = moment(own())
    path.write_text(json.dumps(_testimony(before, after, own)))


def _testimony(before: Moment, after: Moment, own: Callable[[], set[int]]) -> dict[str, Any]:
    same = unchanged(before, after)
    plain = set(map(id, closure(own(), with_keys=False)))
    return {
        "objects": [describe(found) for found in closure(own()) if id(found) in same],
        "only_by_key": [found >> PLACE_SHIFT for found in same - plain],
        "known": sorted({found >> PLACE_SHIFT for one in (before, after) for found in one.ids}),
        "own": [found >> PLACE_SHIFT for found in own()],
    }
