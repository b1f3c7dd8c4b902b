"""Follows a path of a snapshot in the running process, from the global of a module to an object.

Only the dicts of modules, classes and instances are read: no code of the application runs.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from heap_exporter.model import RetainerPath, Step, StepKind

MAX_CANDIDATES = 64
"""Objects that one path may lead to; with more, it is not clear which one is meant."""

_ITEMS: dict[tuple[StepKind, str], tuple[type, ...]] = {
    (StepKind.DICT_VALUE, "dict"): (dict,),
    (StepKind.DICT_VALUE, "collections.OrderedDict"): (OrderedDict,),
    (StepKind.DICT_VALUE, "collections.defaultdict"): (defaultdict,),
    (StepKind.ITEM, "list"): (list,),
    (StepKind.ITEM, "tuple"): (tuple,),
    (StepKind.ITEM, "collections.deque"): (deque,),
}
"""Steps to all items of a container, and the types whose items can be listed without code of the application."""

_GLOBALS = (StepKind.MODULE_GLOBAL, StepKind.CLASS_ATTRIBUTE)
_ATTRIBUTES = (StepKind.ATTRIBUTE, StepKind.CLASS_ATTRIBUTE, StepKind.FUNCTION_ATTRIBUTE)

LRU_CACHE: type[Any] = type(functools.lru_cache(lambda: None))
CONTAINERS = (dict, list, set, deque, OrderedDict)


LiveTrail = tuple[tuple[Any, Step], ...]
"""The objects from a module's global to a place, each with the step to it."""


def live_trails(path: RetainerPath, modules: Mapping[str, types.ModuleType]) -> list[LiveTrail]:
    """Return the trails in the running process that the path of an accumulation may stand for."""
    if not path or path[0].kind not in _GLOBALS:
        return []
    start = _global(f"{path[0].owner_type}.{path[0].name}", modules)
    if start is None:
        return []
    trails: list[LiveTrail] = [((start, path[0]),)]
    for step in path[1:]:
        following = [(*trail, (to, step)) for trail in trails for to in _after(trail[-1][0], step)]
        if len(following) > MAX_CANDIDATES or not following:
            break
        trails = following
    return trails


def _global(full_name: str, modules: Mapping[str, types.ModuleType]) -> Any:
    """Return the variable of a module, or class attribute, at which the path of an accumulation begins."""
    parts = full_name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        module = modules.get(".".join(parts[:count]))
        if isinstance(module, types.ModuleType):
            value: Any = module
            for part in parts[count:]:
                value = attribute(value, part)
            return value
    return None


def _after(place: Any, step: Step) -> Iterator[Any]:
    """Yield the live objects that a step of an accumulation's path may lead to."""
    listed = _ITEMS.get((step.kind, step.owner_type))
    if listed:
        if type(place) in (*listed, *CONTAINERS):
            yield from _first_items(place)
        return
    value = attribute(place, step.name) if step.kind in _ATTRIBUTES else None
    if value is not None:
        yield value


def _first_items(container: Any) -> list[Any]:
    """Return the items of a container, one more than can be followed at most: a large one is not copied."""
    with suppress(RuntimeError):  # changed by another thread meanwhile
        return list(islice(container.values() if isinstance(container, dict) else container, MAX_CANDIDATES + 1))
    return []


def attribute(place: Any, name: str) -> Any:
    """Return an attribute of an investigated object without running code of the application."""
    try:
        value = inspect.getattr_static(place, name)
    except (AttributeError, TypeError):
        return None
    with suppress(AttributeError):  # a slot that is empty
        return value.__get__(place) if isinstance(value, types.MemberDescriptorType) else value
    return None


def length(container: Any) -> int:
    """Return the number of items of a suspected cache, without the ``__len__`` of a subclass."""
    base = next(base for base in CONTAINERS if isinstance(container, base))
    return int(base.__len__(container))
