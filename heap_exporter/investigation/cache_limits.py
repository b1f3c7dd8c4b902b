"""Looks in the living process whether what accumulates at a place is a cache with a limit that it has not reached.

A snapshot holds no values, so no maxsize either. The place is found again by the steps of its path, through the
dicts of modules, classes and instances alone: nothing of the application's own code is run.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, zip_longest
from typing import Any, NamedTuple

from heap_exporter.analysis.results import short_name

MAX_CANDIDATES = 64
"""Objects that one path may lead to; behind more, nobody knows which is meant."""

LIMIT_NAMES = ("max", "maxsize", "max_size", "maxlen", "max_entries", "max_items", "capacity")
"""What the limit of a cache's entries is called, also in cachetools; underscores before it are passed over."""

_ITEMS: dict[str, tuple[type, ...]] = {
    "dict value": (dict,),
    "OrderedDict value": (OrderedDict,),
    "defaultdict value": (dict,),
    "list item": (list,),
    "tuple item": (tuple,),
    "deque item": (deque,),
}
"""Steps that lead to all items of a container, and the types of which these can be listed without foreign code."""

_CONTAINERS = (dict, list, set, deque, OrderedDict)


class Bound(NamedTuple):
    """A limit that a place has: so many ``entries`` are there now, at most ``most``."""

    name: str
    entries: int
    most: int

    def __str__(self) -> str:
        return f"{self.name} has {self.entries:,} of at most {self.most:,} entries"


def bound(path: Sequence[str], modules: Mapping[str, types.ModuleType] | None = None) -> Bound | None:
    """Return the limit nearest to the end of a path if it was not exceeded, ``None`` if none is found.

    ``path`` are the steps as a report names them: ``("shop.catalogue.CACHE", "LRUCache._data", "dict value")``.
    """
    nearest: list[Bound] = []
    for trail in _trails(tuple(path), sys.modules if modules is None else modules):
        containers = [place for place, _ in trail[1:]]
        limits = [_limit(place, name, inside) for (place, name), inside in zip_longest(trail, containers)]
        known = [limit for limit in limits if limit is not None]
        if not known or known[-1].entries > known[-1].most:
            return None  # one without a limit is enough to grow for ever
        nearest.append(known[-1])
    return max(nearest, key=lambda limit: limit.most, default=None)


Trail = tuple[tuple[Any, str], ...]
"""The objects on the way from a module to a place, each with its name."""


def _trails(path: tuple[str, ...], modules: Mapping[str, types.ModuleType]) -> list[Trail]:
    """Return the ways that a path may mean; none where it can't be followed."""
    if not path:
        return []
    found = _global(path[0], modules)
    if found is None:
        return []
    trails: list[Trail] = [((found, path[0]),)]
    for step in path[1:]:
        following = [(*trail, (to, step)) for trail in trails for to in islice(_after(trail[-1][0], step), 99)]
        if len(following) > MAX_CANDIDATES or not following:
            break
        trails = following
    return trails


def _global(name: str, modules: Mapping[str, types.ModuleType]) -> Any:
    """Return what a dotted name means: a module's variable, or an attribute of a class in one."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = modules.get(".".join(parts[:length]))
        if isinstance(module, types.ModuleType):
            found: Any = module
            for part in parts[length:]:
                found = _attribute(found, part)
            return found
    return None


def _after(place: Any, step: str) -> Iterator[Any]:
    """Yield what a step may lead to from a place."""
    listed = _ITEMS.get(step)
    if listed:
        if type(place) in (*listed, *_CONTAINERS):
            with suppress(RuntimeError):
                yield from list(place.values() if isinstance(place, dict) else place)[: MAX_CANDIDATES + 1]
        return
    found = _attribute(place, step.rpartition(".")[2])
    if found is not None:
        yield found


def _attribute(place: Any, name: str) -> Any:
    """Return an attribute without running code of the application, ``None`` if there is none."""
    try:
        found = inspect.getattr_static(place, name)
    except (AttributeError, TypeError):
        return None
    with suppress(AttributeError):  # a slot that is empty
        return found.__get__(place) if isinstance(found, types.MemberDescriptorType) else found
    return None


def _limit(place: Any, name: str, inside: Any) -> Bound | None:
    """Return the limit that a place sets itself, or the container ``inside`` it; ``None`` if none is known."""
    known = _KNOWN.get(type(place))
    if known is not None:
        entries, most = known(place)
        return None if most is None else Bound(_said(place, name), entries, most)
    container = place if isinstance(place, _CONTAINERS) else inside
    attributes = _attributes(place)
    limits = [value for key, value in attributes if type(value) is int and value > 0 and _is_limit(key)]
    if not limits or not isinstance(container, _CONTAINERS):
        return None
    return Bound(_said(place, name), _length(container), max(limits))


def _attributes(place: Any) -> list[tuple[str, Any]]:
    """Return the attributes that an instance has in a dict of its own, and in slots."""
    if isinstance(place, type | types.ModuleType | types.FunctionType):
        return []
    found = _attribute(place, "__dict__")
    if isinstance(found, types.GetSetDescriptorType):
        found = found.__get__(place)
    slots = [name for base in type(place).__mro__ for name in vars(base) if _is_limit(name)]
    own = [(name, _attribute(place, name)) for name in slots]
    return own + (list(found.items()) if type(found) is dict else [])


def _is_limit(name: str) -> bool:
    return name.rpartition("__")[2].strip("_") in LIMIT_NAMES


def _length(container: Any) -> int:
    """Return how many items there are, whatever a subclass says."""
    base = next(base for base in _CONTAINERS if isinstance(container, base))
    return int(base.__len__(container))


def _said(place: Any, name: str) -> str:
    if "." in name:
        return name
    return f"{short_name(type(place).__qualname__)} ({name})"


def _of_lru_cache(place: Any) -> tuple[int, int | None]:
    info = place.cache_info()
    return info.currsize, info.maxsize


_KNOWN: dict[type, Callable[[Any], tuple[int, int | None]]] = {
    type(functools.lru_cache(lambda: None)): _of_lru_cache,
    deque: lambda place: (len(place), place.maxlen),
}
"""Types of the standard library that know their own limit: entries there are, and the most there can be."""
