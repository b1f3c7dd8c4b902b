"""Paths as text: ``shop.sessions.SESSIONS → dict value → Session``."""

from __future__ import annotations

from heap_exporter.analysis.results import Heap, HoldingKind, short_name
from heap_exporter.model.paths import RetainerPath, Step, StepKind

ARROW = " → "
"""Stands between the steps of a path."""

INWARDS = " › "
"""Stands between a thread, its frames and their variables, and between an event loop, its tasks and its attributes."""

HOLDING_NAMES = {
    HoldingKind.REACHABLE: "reachable",
    HoldingKind.OUTSIDE: "held from outside",
    HoldingKind.GARBAGE: "garbage",
}

_TEXTS = {
    StepKind.ROOT: "",
    StepKind.MODULES: "modules",
    StepKind.THREADS: "threads",
    StepKind.INTERPRETER: "interpreter",
    StepKind.OUTSIDE: "held from outside",
    StepKind.GARBAGE: "garbage",
    StepKind.ATTRIBUTE_NAME: "attribute name",
    StepKind.ARGUMENT_DEFAULT: "argument default",
    StepKind.PARTIAL_ARGUMENT: "partial argument",
    StepKind.BOUND_METHOD: "bound method",
    StepKind.BOUND_SELF: "bound method's self",
    StepKind.CALLING_FRAME: "calling frame",
    StepKind.TRACEBACK_FRAME: "traceback frame",
    StepKind.NEXT_TRACEBACK: "next traceback",
    StepKind.LRU_CACHE_ENTRY: "lru_cache entry",
    StepKind.CONTEXT_VALUE: "context value",
    StepKind.CONTEXT_VARIABLE_DEFAULT: "ContextVar default",
    StepKind.PREVIOUS_CONTEXT: "previous context",
    StepKind.THREAD_LOCAL_ATTRIBUTE: "thread-local attribute",
    StepKind.WEAKREF_CALLBACK: "weakref callback",
    StepKind.EVENT_LOOP: "event loop",
    StepKind.SCHEDULED_CALLBACK: "scheduled callback",
    StepKind.CALLBACK: "callback",
    StepKind.CALLBACK_ARGUMENT: "callback argument",
    StepKind.CALLBACK_CONTEXT: "callback's context",
    StepKind.TASK_COROUTINE: "task's coroutine",
    StepKind.TASK_CONTEXT: "task's context",
    StepKind.WAITING_TASK: "waiting task",
}
"""The text of the kinds that need no names."""

_PATTERNS = {
    StepKind.MODULE_GLOBAL: "{owner}.{name}",
    StepKind.CLASS_ATTRIBUTE: "{owner}.{name}",
    StepKind.FUNCTION_ATTRIBUTE: "{owner}.{name}",
    StepKind.ATTRIBUTE: "{type}.{name}",
    StepKind.DICT_KEY: "{type} key",
    StepKind.DICT_VALUE: "{type} value",
    StepKind.ITEM: "{type} item",
    StepKind.STACK: "{type} stack",
    StepKind.AWAITED: "awaited by {lower_type}",
    StepKind.TASK_RESULT: "{lower_type}'s result",
    StepKind.CLOSURE_VARIABLE: "closure {name}",
    StepKind.INSIDE: "inside {name}",
}
"""The text of the kinds with an owner or a name; ``type`` is the short name of the owner."""

_PATTERNS_WITHOUT_NAME = {
    StepKind.MODULE_GLOBAL: "{owner} attribute",
    StepKind.CLASS_ATTRIBUTE: "{owner} attribute",
    StepKind.FUNCTION_ATTRIBUTE: "{owner} attribute",
    StepKind.ATTRIBUTE: "{type} attribute",
    StepKind.CLOSURE_VARIABLE: "closure variable",
    StepKind.INSIDE: "inside {type}",
}

_EVENT_LOOP_ATTRIBUTES = {"_ready": "ready callbacks", "_scheduled": "timers"}

_OUTER = {
    StepKind.FRAME: (StepKind.THREAD, StepKind.FRAME),
    StepKind.LOCAL_VARIABLE: (StepKind.FRAME, StepKind.TASK),
    StepKind.EVENT_LOOP_ATTRIBUTE: (StepKind.EVENT_LOOP,),
    StepKind.TASK: (StepKind.EVENT_LOOP,),
    StepKind.SCHEDULED_CALLBACK: (StepKind.EVENT_LOOP,),
}
"""Steps that are one with the step before them, if that is of one of these kinds."""


def code(name: str) -> str:
    """Return a name as text between backticks; backticks in the name become single quotes."""
    return f"`{name.replace('`', chr(39))}`"


def step_text(step: Step) -> str:
    """Return one step of a path as text, without the steps before it."""
    kind, owner, name = step
    if kind in _TEXTS:
        return _TEXTS[kind]
    if kind in _NAME_TEXTS:
        return _NAME_TEXTS[kind](owner, name)
    pattern = _PATTERNS.get(kind, "{name}") if name else _PATTERNS_WITHOUT_NAME.get(kind, _PATTERNS.get(kind, ""))
    short = short_name(owner)
    return pattern.format(owner=owner, type=short, lower_type=short.lower(), name=name)


def step_texts(path: RetainerPath) -> tuple[str, ...]:
    """Return the steps of a path as text. A thread or task, its frames and their variables are one step."""
    texts: list[str] = []
    before: StepKind | None = None
    for step in path:
        if texts and before in _OUTER.get(step.kind, ()):
            texts[-1] += INWARDS + step_text(step)
        else:
            texts.append(step_text(step))
        before = step.kind
    return tuple(texts)


def path_text(path: RetainerPath) -> str:
    """Return a path as text: one line."""
    return ARROW.join(step_texts(path))


def path_to_type(path: RetainerPath, type_name: str) -> str:
    """Return a path as one line of text that ends with the short name of the type."""
    steps, name = step_texts(path), short_name(type_name)
    is_shown = name in ("", "module") or (steps and steps[-1].endswith(name))
    return ARROW.join(steps if is_shown else (*steps, name))


def path_to_group(heap: Heap, index: int) -> str:
    """Return the path to a group of a snapshot as one line of text that ends with the short name of its type."""
    return path_to_type(heap.steps(index), heap.groups[index].type_name)


def _thread_text(_owner: str, name: str) -> str:
    return name if name.startswith("thread ") else f"thread {name}"


def _frame_text(_owner: str, name: str) -> str:
    """Return a frame of a path as text: the function as a call; ``<module>`` and ``<listcomp>`` stay as they are."""
    return name if name.endswith(">") and name != "<lambda>" else f"{name}()"


def _task_text(_owner: str, name: str) -> str:
    return f"task {_frame_text(_owner, name)}" if name else "task"


def _local_variable_text(owner: str, name: str) -> str:
    return f"{owner} local {name}" if owner else name


def _event_loop_attribute_text(_owner: str, name: str) -> str:
    return _EVENT_LOOP_ATTRIBUTES.get(name, name)


_NAME_TEXTS = {
    StepKind.THREAD: _thread_text,
    StepKind.FRAME: _frame_text,
    StepKind.TASK: _task_text,
    StepKind.LOCAL_VARIABLE: _local_variable_text,
    StepKind.EVENT_LOOP_ATTRIBUTE: _event_loop_attribute_text,
}
