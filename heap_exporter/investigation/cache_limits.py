"""The limit of a cache at the place where objects accumulate, looked up in the running process.

A snapshot has no values, so no maxsize either. The steps of the path lead to the place again, and no code of the
application runs.
"""

from __future__ import annotations

import sys
import types
from collections import deque
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any

from heap_exporter.investigation.live_paths import CONTAINERS, LRU_CACHE, attribute, length, live_trails
from heap_exporter.model import CacheLimit, RetainerPath, Step

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


def cache_limit(path: RetainerPath, modules: Mapping[str, types.ModuleType] | None = None) -> CacheLimit | None:
    """Return the cache limit nearest to where suspected objects accumulate, ``None`` if none or exceeded."""
    nearest: list[CacheLimit] = []
    for trail in live_trails(path, sys.modules if modules is None else modules):
        containers = [place for place, _ in trail[1:]]
        limits = [_limit(place, step, inside) for (place, step), inside in zip_longest(trail, containers)]
        known = [limit for limit in limits if limit is not None]
        if not known or known[-1].entries > known[-1].max_entries:
            return None  # one place without a limit can grow for ever
        nearest.append(known[-1])
    return max(nearest, key=lambda limit: limit.max_entries, default=None)


def _limit(place: Any, step: Step, inside: Any) -> CacheLimit | None:
    """Return the limit that a suspected cache sets for itself, or for the container ``inside`` it."""
    known = _KNOWN.get(type(place))
    if known is not None:
        entries, max_entries = known(place)
        return None if max_entries is None else CacheLimit(type(place).__qualname__, step, entries, max_entries)
    container = place if isinstance(place, CONTAINERS) else inside
    attributes = [(_plain(key), value) for key, value in _attributes(place) if type(key) is str]
    limits = [value for key, value in attributes if type(value) is int and value > 0 and key in LIMIT_NAMES]
    if not limits or not isinstance(container, CONTAINERS):
        return None
    weights = [value for key, value in attributes if key == WEIGHT_NAME and type(value) is int]
    entries = weights[0] if weights else length(container)
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
    namespace = attribute(place, "__dict__")
    if isinstance(namespace, types.GetSetDescriptorType):
        namespace = namespace.__get__(place)
    names = (*LIMIT_NAMES, *SLACK_NAMES, WEIGHT_NAME)
    slots = [name for base in type(place).__mro__ for name in vars(base) if _plain(name) in names]
    own = [(name, attribute(place, name)) for name in slots]
    return own + (list(namespace.items()) if type(namespace) is dict else [])


def _plain(name: str) -> str:
    """Return the name of an attribute without the class in a private name and without underscores at its ends."""
    return name.rpartition("__")[2].strip("_")


def _of_lru_cache(place: Any) -> tuple[int, int | None]:
    info = place.cache_info()
    return info.currsize, info.maxsize


_KNOWN: dict[type, Callable[[Any], tuple[int, int | None]]] = {
    LRU_CACHE: _of_lru_cache,
    deque: lambda place: (len(place), place.maxlen),
}
"""Types of the standard library with a limit: the number of entries, and the most that there can be."""
