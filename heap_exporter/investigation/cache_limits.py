"""The limit of a cache at the place where objects accumulate, looked up in the running process.

A snapshot has no values, so no maxsize either. The steps of the path lead to the place again, through the dicts of
modules, classes and instances alone: no code of the application runs.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice, zip_longest
from typing import Any, NamedTuple

from heap_exporter.model import CacheLimit, RetainerPath, Step, StepKind

MAX_CANDIDATES = 64
"""Objects that one path may lead to; with more, it is not clear which one is meant."""

LIMIT_NAMES = (
    "max", "maxsize", "max_size", "maxlen", "max_len", "max_length", "max_entries", "max_items", "max_count",
    "capacity", "limit", "size_limit", "cache_size",
    "max_connections", "maxconnections", "maxconn", "max_pool_size", "pool_size",
)  # fmt: skip  # caches first, then pools of connections
"""Names of the limit of a cache or a pool; leading and trailing underscores do not count."""

SLACK_NAMES = ("threshold", "slack")
"""Names of the share by which a cache exceeds its limit before it removes entries, as in SQLAlchemy's ``LRUCache``."""

USUAL_SLACK = 0.5
"""Share by which a cache may exceed its limit if it states none: it may remove entries in batches."""

WEIGHT_NAME = "currsize"
"""Name of the sum of the sizes of a cache's entries, in the unit of its limit: cachetools with ``getsizeof``."""

_ITEMS: dict[tuple[StepKind, str], tuple[type, ...]] = {
    (StepKind.DICT_VALUE, "dict"): (dict,),
    (StepKind.DICT_VALUE, "collections.OrderedDict"): (OrderedDict,),
    (StepKind.DICT_VALUE, "collections.defaultdict"): (dict,),
    (StepKind.ITEM, "list"): (list,),
    (StepKind.ITEM, "tuple"): (tuple,),
    (StepKind.ITEM, "collections.deque"): (deque,),
}
"""Steps to all items of a container, and the types whose items can be listed without code of the application."""

_GLOBALS = (StepKind.MODULE_GLOBAL, StepKind.CLASS_ATTRIBUTE)
_ATTRIBUTES = (StepKind.ATTRIBUTE, StepKind.CLASS_ATTRIBUTE, StepKind.FUNCTION_ATTRIBUTE)

_CONTAINERS = (dict, list, set, deque, OrderedDict)


def cache_limit(path: RetainerPath, modules: Mapping[str, types.ModuleType] | None = None) -> CacheLimit | None:
    """Return the cache limit nearest to where suspected objects accumulate, ``None`` if none or exceeded."""
    nearest: list[CacheLimit] = []
    for trail in _trails(path, sys.modules if modules is None else modules):
        containers = [place for place, _ in trail[1:]]
        limits = [_limit(place, step, inside) for (place, step), inside in zip_longest(trail, containers)]
        known = [limit for limit in limits if limit is not None]
        if not known or known[-1].entries > known[-1].max_entries:
            return None  # one place without a limit can grow for ever
        nearest.append(known[-1])
    return max(nearest, key=lambda limit: limit.max_entries, default=None)


class LiveHolder(NamedTuple):
    """The number of entries of a suspected holder in the running process; ``step`` is the last one to it."""

    type_name: str
    step: Step
    entries: int


def live_holder(holder: RetainerPath, modules: Mapping[str, types.ModuleType] | None = None) -> LiveHolder | None:
    """Return a suspected holder as it is now, ``None`` if its path cannot be followed."""
    trails = _trails(holder, sys.modules if modules is None else modules)
    places = [trail[-1] for trail in trails if len(trail) == len(holder)]
    if not places or not all(isinstance(place, _CONTAINERS) or type(place) is _LRU_CACHE for place, _ in places):
        return None
    entries = sum(_of_lru_cache(place)[0] if type(place) is _LRU_CACHE else _length(place) for place, _ in places)
    place, step = places[0]
    return LiveHolder(type(place).__qualname__, step, entries)


LiveTrail = tuple[tuple[Any, Step], ...]
"""The objects from a module's global to a place, each with the step to it."""


def _trails(path: RetainerPath, modules: Mapping[str, types.ModuleType]) -> list[LiveTrail]:
    """Return the trails in the running process that the path of an accumulation may stand for."""
    if not path or path[0].kind not in _GLOBALS:
        return []
    found = _global(f"{path[0].owner_type}.{path[0].name}", modules)
    if found is None:
        return []
    trails: list[LiveTrail] = [((found, path[0]),)]
    for step in path[1:]:
        following = [(*trail, (to, step)) for trail in trails for to in islice(_after(trail[-1][0], step), 99)]
        if len(following) > MAX_CANDIDATES or not following:
            break
        trails = following
    return trails


def _global(full_name: str, modules: Mapping[str, types.ModuleType]) -> Any:
    """Return the variable of a module, or class attribute, at which the path of an accumulation begins."""
    parts = full_name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = modules.get(".".join(parts[:length]))
        if isinstance(module, types.ModuleType):
            found: Any = module
            for part in parts[length:]:
                found = _attribute(found, part)
            return found
    return None


def _after(place: Any, step: Step) -> Iterator[Any]:
    """Yield the live objects that a step of an accumulation's path may lead to."""
    listed = _ITEMS.get((step.kind, step.owner_type))
    if listed:
        if type(place) in (*listed, *_CONTAINERS):
            with suppress(RuntimeError):
                yield from list(place.values() if isinstance(place, dict) else place)[: MAX_CANDIDATES + 1]
        return
    found = _attribute(place, step.name) if step.kind in _ATTRIBUTES else None
    if found is not None:
        yield found


def _attribute(place: Any, name: str) -> Any:
    """Return an attribute of an investigated object without running code of the application."""
    try:
        found = inspect.getattr_static(place, name)
    except (AttributeError, TypeError):
        return None
    with suppress(AttributeError):  # a slot that is empty
        return found.__get__(place) if isinstance(found, types.MemberDescriptorType) else found
    return None


def _limit(place: Any, step: Step, inside: Any) -> CacheLimit | None:
    """Return the limit that a suspected cache sets for itself, or for the container ``inside`` it."""
    known = _KNOWN.get(type(place))
    if known is not None:
        entries, max_entries = known(place)
        return None if max_entries is None else CacheLimit(type(place).__qualname__, step, entries, max_entries)
    container = place if isinstance(place, _CONTAINERS) else inside
    attributes = [(_plain(key), value) for key, value in _attributes(place) if type(key) is str]
    limits = [value for key, value in attributes if type(value) is int and value > 0 and key in LIMIT_NAMES]
    if not limits or not isinstance(container, _CONTAINERS):
        return None
    weights = [value for key, value in attributes if key == WEIGHT_NAME and type(value) is int]
    entries = weights[0] if weights else _length(container)
    return CacheLimit(type(place).__qualname__, step, entries, _with_slack(max(limits), entries, attributes))


def _with_slack(limit: int, entries: int, attributes: list[tuple[str, Any]]) -> int:
    """Return the most entries that a suspected cache may have before it removes some, so that its limit holds again."""
    stated = [value for key, value in attributes if key in SLACK_NAMES and type(value) is float and 0 < value <= 1]
    if stated:
        return int(limit * (1 + stated[0]))
    return limit if entries <= limit else int(limit * (1 + USUAL_SLACK))


def _attributes(place: Any) -> list[tuple[str, Any]]:
    """Return the attributes of an investigated instance, from its dict and from its slots."""
    if isinstance(place, type | types.ModuleType | types.FunctionType):
        return []
    found = _attribute(place, "__dict__")
    if isinstance(found, types.GetSetDescriptorType):
        found = found.__get__(place)
    names = (*LIMIT_NAMES, *SLACK_NAMES, WEIGHT_NAME)
    slots = [name for base in type(place).__mro__ for name in vars(base) if _plain(name) in names]
    own = [(name, _attribute(place, name)) for name in slots]
    return own + (list(found.items()) if type(found) is dict else [])


def _plain(name: str) -> str:
    """Return the name of an attribute without the class in a private name and without underscores at its ends."""
    return name.rpartition("__")[2].strip("_")


def _length(container: Any) -> int:
    """Return the number of items of a suspected cache, without the ``__len__`` of a subclass."""
    base = next(base for base in _CONTAINERS if isinstance(container, base))
    return int(base.__len__(container))


def _of_lru_cache(place: Any) -> tuple[int, int | None]:
    info = place.cache_info()
    return info.currsize, info.maxsize


_LRU_CACHE = type(functools.lru_cache(lambda: None))

_KNOWN: dict[type, Callable[[Any], tuple[int, int | None]]] = {
    _LRU_CACHE: _of_lru_cache,
    deque: lambda place: (len(place), place.maxlen),
}
"""Types of the standard library with a limit: the number of entries, and the most that there can be."""
