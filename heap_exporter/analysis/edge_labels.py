"""How one step from an object to what it refers to reads in Python's terms.

An object that is only there to carry others (the dict behind attributes, a closure's cells, a hash trie's nodes) makes
no step of its own: what it refers to is said as if its holder referred to it. So the values that CPython keeps in an
instance read as those that it moved to a dict, and a step reads the same on all versions.
"""

from __future__ import annotations

from typing import NamedTuple

from heap_exporter.analysis.graph import ITEM, KEY, VALUE
from heap_exporter.analysis.results import INWARDS, short_name

CLASS = "class"
"""The type name that all classes are read with, whatever their metaclass."""


class Position(NamedTuple):
    """Where the steps from an object begin. ``type_name`` is "" for a holder, :data:`CLASS` for every class.

    ``name`` is what a module, class or function is called, as far as names led to it. ``namespace`` is said before
    the keys of a dict behind attributes. ``says`` is the whole step to whatever comes next.
    """

    type_name: str
    name: str = ""
    namespace: str = ""
    says: str = ""


class Step(NamedTuple):
    """A step: its ``text``, None if the object makes none; and where the next ones begin."""

    text: str | None
    to: Position


_THROUGH_REFERENTS = {
    ("functools._lru_cache_wrapper", "dict"): "lru_cache entry",
    ("_contextvars.Context", "hamt"): "context value",
    ("Context", "hamt"): "context value",
    ("_thread._local", "dict"): "thread-local attribute",
    ("_thread._localdummy", "dict"): "thread-local attribute",
}
"""What is said of all behind an unnamed edge, by the types at both of its ends."""

_THROUGH_NAMES = {
    ("function", "__defaults__"): "argument default",
    ("function", "__kwdefaults__"): "argument default",
    ("functools.partial", "args"): "partial argument",
    ("functools.partial", "keywords"): "partial argument",
    ("asyncio.events.Handle", "_args"): "callback argument",
    ("asyncio.events.TimerHandle", "_args"): "callback argument",
}
"""What is said of the items behind a named edge, by the type that has it."""

_CARRIERS = {
    "lru_cache entry": ("functools._lru_list_elem",),
    "context value": ("hamt", "hamt_bitmap_node", "hamt_array_node", "hamt_collision_node"),
    "thread-local attribute": ("dict",),
}
"""Types that only carry others, by what is said of these."""

_REFERENTS = {
    "collections.deque": "deque item",
    "functools._lru_cache_wrapper": "lru_cache entry",
    "_contextvars.ContextVar": "ContextVar default",
    "_contextvars.Context": "previous context",
    "weakref.ReferenceType": "weakref callback",
    "collections.OrderedDict": "OrderedDict key",
    "generator": "generator stack",
    "coroutine": "coroutine stack",
    "async_generator": "async_generator stack",
    "frame": "frame stack",
    "method": "bound method",
}
"""What is said of an unnamed edge, by the type that has it."""

_AWAITED = ("Task", "Future", "FutureIter", "coroutine", "generator", "async_generator", "async_generator_asend")
_RUNNING = ("generator", "coroutine", "async_generator")
_CODE = ("f_code", "gi_code", "cr_code", "ag_code", "gi_yieldfrom", "cr_await", "ag_await")

_NAMES = {
    ("method", "__self__"): "bound method's self",
    ("builtin_function_or_method", "__self__"): "bound method's self",
    ("traceback", "tb_frame"): "traceback frame",
    ("traceback", "tb_next"): "next traceback",
    ("frame", "f_back"): "calling frame",
    ("asyncio.events.Handle", "_callback"): "callback",
    ("asyncio.events.TimerHandle", "_callback"): "callback",
    ("asyncio.events.Handle", "_context"): "callback's context",
    ("asyncio.events.TimerHandle", "_context"): "callback's context",
}
"""What is said of a named edge, by the type that has it."""

_LOOP = "event loop"
_OF_LOOP = {"_ready": "ready callbacks", "_scheduled": "timers"}

_ASYNC = {
    ("Task", "coroutine"): "task's coroutine",
    ("Task", "Context"): "task's context",
    ("Task", "FutureIter"): "awaited by task",
    ("Task", "Future"): "awaited by task",
    ("Task", "Task"): "awaited by task",
    ("Future", "Task"): "waiting task",
    ("Future", "Context"): "callback's context",
}
"""What is said of the unnamed edges of the tasks and futures in C, by the short names of both types."""

_CALLBACKS = ("list", "function", "method", "builtin_function_or_method", "TaskStepMethWrapper", "partial")


def step(spot: Position, label: int, name: str, type_name: str) -> Step:
    """Return the step to an object of ``type_name`` behind the edge ``label`` (``name``, if it has one).

    ``type_name`` is :data:`CLASS` for every class.
    """
    if spot.says:
        return _through(spot.says, type_name)
    if spot.namespace:
        return _from_namespace(spot, label, name, type_name)
    if name == "__dict__" and type_name == "dict":
        return Step(None, Position("", namespace=spot.name or short_name(spot.type_name)))
    if name == "__closure__" and spot.type_name == "function":
        return Step(None, Position("closure"))
    behind = _THROUGH_NAMES.get((spot.type_name, name)) if name else _THROUGH_REFERENTS.get((spot.type_name, type_name))
    if behind:
        return Step(None, Position("", says=behind))
    return _arrive(_named(spot, name) if name else _unnamed(spot, label, type_name), type_name)


def from_holder(prefix: str, name: str, type_name: str) -> Step:
    """Return the step from a holder. ``prefix`` is that of a frame's variables, "" for all others."""
    if prefix:
        return _arrive(f"{prefix}{INWARDS}{name or short_name(type_name)}", type_name)
    if not name:
        return Step(short_name(type_name), Position(type_name))
    return _arrive(name, type_name, name)


def is_event_loop(type_name: str) -> bool:
    """Return whether objects of a type are event loops, which are a place of their own, whatever refers to them."""
    return type_name == "uvloop.Loop" or (type_name.startswith("asyncio.") and type_name.endswith("EventLoop"))


def _arrive(text: str, type_name: str, name: str = "") -> Step:
    if type_name == "cell":
        return Step(None, Position("", says=text))
    if is_event_loop(type_name):
        return Step(_LOOP, Position(type_name))
    has_name = name and type_name in ("module", "function", CLASS)
    return Step(text, Position(type_name, name if has_name else ""))


def _through(says: str, type_name: str) -> Step:
    if type_name in _CARRIERS.get(says, ()):
        return Step(None, Position("", says=says))
    return _arrive(says, type_name)


def _from_namespace(spot: Position, label: int, name: str, type_name: str) -> Step:
    if name:
        text = f"{spot.namespace}.{name}"
        return _arrive(text, type_name, text)
    return _arrive("attribute name" if label == KEY else f"{spot.namespace} attribute", type_name)


def _named(spot: Position, name: str) -> str:
    if spot.type_name == "closure":
        return f"closure {name}"
    known = _NAMES.get((spot.type_name, name))
    if known:
        return known
    if is_event_loop(spot.type_name):
        return f"{_LOOP}{INWARDS}{_OF_LOOP.get(name, name)}"
    if spot.type_name in (*_RUNNING, "frame") and name not in _CODE:
        return f"{spot.type_name} local {name}"
    if name == "__callback__":
        return "weakref callback"
    return f"{spot.name or short_name(spot.type_name)}.{name}"


def _unnamed(spot: Position, label: int, type_name: str) -> str:
    holder = short_name(spot.type_name)
    if spot.type_name == "closure":
        return "closure variable"
    if label in (ITEM, KEY, VALUE):
        return f"{holder} {('item', 'key', 'value')[label - ITEM]}"
    if spot.type_name in ("_asyncio.Task", "_asyncio.Future"):
        other = "callback" if short_name(type_name) in _CALLBACKS else f"{holder.lower()}'s result"
        return _ASYNC.get((holder, short_name(type_name)), other)
    if spot.type_name in _RUNNING and short_name(type_name) in _AWAITED:
        return f"awaited by {holder}"
    return _REFERENTS.get(spot.type_name, f"inside {spot.name or holder}")
