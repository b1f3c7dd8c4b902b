"""Which step of a path an edge of the graph is, in Python's terms.

An object that only carries others (the dict behind attributes, a closure's cells, the nodes of a hash trie) makes no
step of its own: its references count as its holder's. So values that CPython keeps in an instance have the same path as
values that it moved to a dict, and a path is the same on all versions.
"""

from __future__ import annotations

from typing import NamedTuple

from heap_exporter.analysis.graph import ITEM, KEY, VALUE
from heap_exporter.analysis.results import short_name
from heap_exporter.model.paths import Step, StepKind

CLASS = "class"
"""The type name of every class here, whatever its metaclass is."""

TASKS = ("_asyncio.Task", "asyncio.tasks.Task")
CALLBACKS = (
    "asyncio.events.Handle",
    "asyncio.events.TimerHandle",
    "uvloop.loop.Handle",
    "uvloop.loop.TimerHandle",
)
"""The types of an event loop's tasks and scheduled callbacks; their paths begin at the loop (:mod:`.path_tree`)."""

_CLOSURE = "closure"


class Position(NamedTuple):
    """Where the steps from an object begin. ``type_name`` is "" for a holder, :data:`CLASS` for every class.

    ``name`` is the full name of a module, class or function, where names lead to it; of a task and its coroutine it is
    "" unless the path begins at the task. ``is_namespace`` is true in the
    dict behind the attributes of the object. ``carries`` is the step to all that the object refers to, if it is only a
    carrier.
    """

    type_name: str
    name: str = ""
    is_namespace: bool = False
    carries: Step | None = None


class Reached(NamedTuple):
    """The ``step`` to an object, ``None`` if the object makes none, and the position there."""

    step: Step | None
    position: Position


_REFERENTS_OF_CARRIERS = {
    ("functools._lru_cache_wrapper", "dict"): StepKind.LRU_CACHE_ENTRY,
    ("_contextvars.Context", "hamt"): StepKind.CONTEXT_VALUE,
    ("Context", "hamt"): StepKind.CONTEXT_VALUE,
    ("_thread._local", "dict"): StepKind.THREAD_LOCAL_ATTRIBUTE,
    ("_thread._localdummy", "dict"): StepKind.THREAD_LOCAL_ATTRIBUTE,
}
"""The kind of all steps behind an edge without a name, by the types at both of its ends."""

_NAMED_CARRIERS = {
    ("function", "__defaults__"): StepKind.ARGUMENT_DEFAULT,
    ("function", "__kwdefaults__"): StepKind.ARGUMENT_DEFAULT,
    ("functools.partial", "args"): StepKind.PARTIAL_ARGUMENT,
    ("functools.partial", "keywords"): StepKind.PARTIAL_ARGUMENT,
    ("asyncio.events.Handle", "_args"): StepKind.CALLBACK_ARGUMENT,
    ("asyncio.events.TimerHandle", "_args"): StepKind.CALLBACK_ARGUMENT,
}
"""The kind of all steps behind an edge with a name, by the type that has it and the name."""

_INNER_CARRIERS = {
    StepKind.LRU_CACHE_ENTRY: ("functools._lru_list_elem",),
    StepKind.CONTEXT_VALUE: ("hamt", "hamt_bitmap_node", "hamt_array_node", "hamt_collision_node"),
    StepKind.THREAD_LOCAL_ATTRIBUTE: ("dict",),
}
"""Types that carry others behind a carrier, by the kind of the steps."""

_REFERENTS = {
    "collections.deque": Step(StepKind.ITEM, "collections.deque"),
    "functools._lru_cache_wrapper": Step(StepKind.LRU_CACHE_ENTRY),
    "_contextvars.ContextVar": Step(StepKind.CONTEXT_VARIABLE_DEFAULT),
    "_contextvars.Context": Step(StepKind.PREVIOUS_CONTEXT),
    "weakref.ReferenceType": Step(StepKind.WEAKREF_CALLBACK),
    "collections.OrderedDict": Step(StepKind.DICT_KEY, "collections.OrderedDict"),
    "generator": Step(StepKind.STACK, "generator"),
    "coroutine": Step(StepKind.STACK, "coroutine"),
    "async_generator": Step(StepKind.STACK, "async_generator"),
    "frame": Step(StepKind.STACK, "frame"),
    "method": Step(StepKind.BOUND_METHOD),
}
"""The step of an edge without a name, by the type that has it."""

_AWAITED = ("Task", "Future", "FutureIter", "coroutine", "generator", "async_generator")
_ASYNC_ITERATION = ("async_generator_asend", "async_generator_athrow")
_RUNNING = ("generator", "coroutine", "async_generator")
_CODE = ("f_code", "gi_code", "cr_code", "ag_code", "gi_yieldfrom", "cr_await", "ag_await")

_NAMES = {
    ("method", "__self__"): StepKind.BOUND_SELF,
    ("builtin_function_or_method", "__self__"): StepKind.BOUND_SELF,
    ("traceback", "tb_frame"): StepKind.TRACEBACK_FRAME,
    ("traceback", "tb_next"): StepKind.NEXT_TRACEBACK,
    ("frame", "f_back"): StepKind.CALLING_FRAME,
    ("asyncio.events.Handle", "_callback"): StepKind.CALLBACK,
    ("asyncio.events.TimerHandle", "_callback"): StepKind.CALLBACK,
    ("asyncio.events.Handle", "_context"): StepKind.CALLBACK_CONTEXT,
    ("asyncio.events.TimerHandle", "_context"): StepKind.CALLBACK_CONTEXT,
}
"""The kind of an edge with a name, by the type that has it and the name."""

_ASYNCIO = ("_asyncio.Task", "_asyncio.Future")
_ASYNCIO_REFERENTS = {
    ("_asyncio.Task", "coroutine"): Step(StepKind.TASK_COROUTINE),
    ("_asyncio.Task", "Context"): Step(StepKind.TASK_CONTEXT),
    ("_asyncio.Task", "FutureIter"): Step(StepKind.AWAITED, "_asyncio.Task"),
    ("_asyncio.Task", "Future"): Step(StepKind.AWAITED, "_asyncio.Task"),
    ("_asyncio.Task", "Task"): Step(StepKind.AWAITED, "_asyncio.Task"),
    ("_asyncio.Future", "Task"): Step(StepKind.WAITING_TASK),
    ("_asyncio.Future", "Context"): Step(StepKind.CALLBACK_CONTEXT),
}
"""The step of an edge without a name, of the tasks and futures in C, by the short name of the type it leads to."""

_CALLBACKS = ("list", "function", "method", "builtin_function_or_method", "TaskStepMethWrapper", "partial")

_ITEM_KINDS = {ITEM: StepKind.ITEM, KEY: StepKind.DICT_KEY, VALUE: StepKind.DICT_VALUE}

_NAMESPACE_KINDS = {
    "module": StepKind.MODULE_GLOBAL,
    CLASS: StepKind.CLASS_ATTRIBUTE,
    "function": StepKind.FUNCTION_ATTRIBUTE,
}
"""The kind of an attribute, by the type that has it; :attr:`StepKind.ATTRIBUTE` for all other types."""


def step_to(position: Position, label: int, name: str, type_name: str) -> Reached:
    """Return the step of a retainer path along an edge ``label`` (``name``) to an object of ``type_name``.

    ``type_name`` is :data:`CLASS` for every class.
    """
    if position.carries:
        return _carried(position.carries, type_name)
    if position.is_namespace:
        return _from_namespace(position, label, name, type_name)
    carrier = _carrier(position, name, type_name)
    if carrier is not None:
        return Reached(None, carrier)
    return _reach(_named(position, name) if name else _unnamed(position, label, type_name), type_name)


def _carrier(position: Position, name: str, type_name: str) -> Position | None:
    """Return the position at an object that only carries others, ``None`` if the edge leads to no such object."""
    if name == "__dict__" and type_name == "dict":
        return position._replace(is_namespace=True)
    if name == "__closure__" and position.type_name == "function":
        return Position(_CLOSURE)
    if position.type_name in TASKS and position.name and type_name in _RUNNING:
        return Position(type_name, position.name)
    if position.type_name in _RUNNING and type_name in _ASYNC_ITERATION:
        return Position("", carries=Step(StepKind.AWAITED, position.type_name))
    if name:
        kind = _NAMED_CARRIERS.get((position.type_name, name))
    else:
        kind = _REFERENTS_OF_CARRIERS.get((position.type_name, type_name))
    return Position("", carries=Step(kind)) if kind else None


def step_from_holder(kind: str, name: str, type_name: str) -> Reached:
    """Return the first step of a retainer path: from a holder of the snapshot's graph to an object."""
    shown = name or short_name(type_name)
    if kind == "threads" and type_name in TASKS:
        return Reached(Step(StepKind.TASK, "", name), Position(type_name, name or type_name))
    if kind == "threads" and type_name in CALLBACKS:
        return Reached(Step(StepKind.SCHEDULED_CALLBACK), Position(type_name))
    if kind == "frame":
        return _reach(Step(StepKind.LOCAL_VARIABLE, "", shown), type_name)
    step = Step(StepKind.MODULE if kind == "modules" else StepKind.ROOT_REFERENCE, "", shown)
    return _reach(step, type_name, name) if name else Reached(step, Position(type_name))


def is_event_loop(type_name: str) -> bool:
    """Return whether a type is an event loop: retainer paths begin at the loop, whatever refers to it."""
    return type_name == "uvloop.Loop" or (type_name.startswith("asyncio.") and type_name.endswith("EventLoop"))


def _reach(step: Step, type_name: str, full_name: str = "") -> Reached:
    if type_name == "cell":
        return Reached(None, Position("", carries=step))
    if is_event_loop(type_name):
        return Reached(Step(StepKind.EVENT_LOOP), Position(type_name))
    return Reached(step, Position(type_name, full_name if type_name in _NAMESPACE_KINDS else ""))


def _carried(step: Step, type_name: str) -> Reached:
    if type_name in _INNER_CARRIERS.get(step.kind, ()):
        return Reached(None, Position("", carries=step))
    return _reach(step, type_name)


def _from_namespace(position: Position, label: int, name: str, type_name: str) -> Reached:
    if name:
        attribute = _attribute(position, name)
        return _reach(attribute, type_name, f"{position.name or short_name(position.type_name)}.{name}")
    return _reach(Step(StepKind.ATTRIBUTE_NAME) if label == KEY else _attribute(position, ""), type_name)


def _attribute(position: Position, name: str) -> Step:
    kind = _NAMESPACE_KINDS.get(position.type_name, StepKind.ATTRIBUTE)
    return Step(kind, position.name or position.type_name, name)


def _named(position: Position, name: str) -> Step:
    if position.type_name == _CLOSURE:
        return Step(StepKind.CLOSURE_VARIABLE, "", name)
    kind = _NAMES.get((position.type_name, name))
    if kind:
        return Step(kind)
    if is_event_loop(position.type_name):
        return Step(StepKind.EVENT_LOOP_ATTRIBUTE, "", name)
    if position.type_name in (*_RUNNING, "frame") and name not in _CODE:
        return Step(StepKind.LOCAL_VARIABLE, "" if position.name else position.type_name, name)
    if name == "__callback__":
        return Step(StepKind.WEAKREF_CALLBACK)
    return _attribute(position, name)


def _unnamed(position: Position, label: int, type_name: str) -> Step:
    owner = position.type_name
    if owner == _CLOSURE:
        return Step(StepKind.CLOSURE_VARIABLE)
    if label in _ITEM_KINDS:
        return Step(_ITEM_KINDS[label], owner)
    if owner in _ASYNCIO:
        is_callback = short_name(type_name) in _CALLBACKS
        other = Step(StepKind.CALLBACK) if is_callback else Step(StepKind.TASK_RESULT, owner)
        return _ASYNCIO_REFERENTS.get((owner, short_name(type_name)), other)
    if owner in _RUNNING and short_name(type_name) in _AWAITED:
        return Step(StepKind.AWAITED, owner)
    return _REFERENTS.get(owner, Step(StepKind.INSIDE, owner, position.name))
