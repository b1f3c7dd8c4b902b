"""A path from a root to an object, as typed steps. ``heap_exporter.report.path_text`` renders them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from heap_exporter.runtime.short_repr import short_repr


class StepKind(StrEnum):
    """How one object refers to the next, in Python's terms."""

    ROOT = "root"
    """The root of all paths."""
    MODULES = "modules"
    """The table of modules, ``sys.modules``."""
    THREADS = "threads"
    """The threads and the event loops."""
    INTERPRETER = "interpreter"
    """What the interpreter itself refers to."""
    OUTSIDE = "outside"
    """References that no Python object has: those of C code."""
    GARBAGE = "garbage"
    """What only reference cycles refer to."""

    MODULE = "module"
    MODULE_GLOBAL = "module-global"
    """``owner_type`` is the module's name."""
    CLASS_ATTRIBUTE = "class-attribute"
    """``owner_type`` is the class's full name, ``"class"`` where no name leads to the class."""
    FUNCTION_ATTRIBUTE = "function-attribute"
    """``owner_type`` is the function's full name, ``"function"`` where no name leads to the function."""
    ATTRIBUTE = "attribute"
    """An attribute of an instance, in its dict, in a slot or in C."""
    ATTRIBUTE_NAME = "attribute-name"
    """A key of the dict behind attributes."""
    ROOT_REFERENCE = "root-reference"
    """A reference of the interpreter, of C code or of garbage. ``name`` is its name, or else the short type name."""

    DICT_KEY = "dict-key"
    DICT_VALUE = "dict-value"
    ITEM = "item"

    THREAD = "thread"
    FRAME = "frame"
    LOCAL_VARIABLE = "local-variable"
    """``owner_type`` is "" in a frame of a thread, else the type of the generator, coroutine or frame object."""
    CLOSURE_VARIABLE = "closure-variable"
    ARGUMENT_DEFAULT = "argument-default"
    PARTIAL_ARGUMENT = "partial-argument"
    BOUND_METHOD = "bound-method"
    BOUND_SELF = "bound-self"
    STACK = "stack"
    """The evaluation stack of a generator, a coroutine or a frame."""
    CALLING_FRAME = "calling-frame"
    TRACEBACK_FRAME = "traceback-frame"
    NEXT_TRACEBACK = "next-traceback"

    LRU_CACHE_ENTRY = "lru-cache-entry"
    CONTEXT_VALUE = "context-value"
    CONTEXT_VARIABLE_DEFAULT = "context-variable-default"
    PREVIOUS_CONTEXT = "previous-context"
    THREAD_LOCAL_ATTRIBUTE = "thread-local-attribute"
    WEAKREF_CALLBACK = "weakref-callback"

    TASK = "task"
    """A task of an event loop. ``name`` is the qualified name of its coroutine's function, "" where it is unknown."""
    SCHEDULED_CALLBACK = "scheduled-callback"
    """A callback that an event loop will run later."""
    EVENT_LOOP = "event-loop"
    EVENT_LOOP_ATTRIBUTE = "event-loop-attribute"
    CALLBACK = "callback"
    CALLBACK_ARGUMENT = "callback-argument"
    CALLBACK_CONTEXT = "callback-context"
    TASK_COROUTINE = "task-coroutine"
    TASK_CONTEXT = "task-context"
    TASK_RESULT = "task-result"
    WAITING_TASK = "waiting-task"
    AWAITED = "awaited"

    INSIDE = "inside"
    """A reference without a name, of a type that no other kind covers."""


class Step(NamedTuple):
    """One step of a path: its kind, the full name of the type that has the reference, and the reference's name.

    ``owner_type`` and ``name`` are "" where the kind alone says it all.
    """

    kind: StepKind
    owner_type: str = ""
    name: str = ""

    def __repr__(self) -> str:
        return short_repr(self)


SYS_MODULES = Step(StepKind.MODULE_GLOBAL, "sys", "modules")
"""The holder of modules."""


class RetainerPath(tuple[Step, ...]):
    """The steps from a root to an object, the outermost first."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"RetainerPath(<{len(self)} steps>)"


class LeakPattern(StrEnum):
    """A way to leak that is known: what the path to the growing objects looks like."""

    UNCOLLECTED_CYCLES = "uncollected-cycles"
    HELD_BY_C_CODE = "held-by-c-code"
    LRU_CACHE_ON_A_METHOD = "lru-cache-on-a-method"
    LRU_CACHE = "lru-cache"
    LOGGING_HANDLERS = "logging-handlers"
    LOGGERS = "loggers"
    EXCEPTION_TRACEBACKS = "exception-tracebacks"
    ENDLESS_THREADS = "endless-threads"
    FINALIZERS = "finalizers"
    GC_GARBAGE = "gc-garbage"
    WARNING_REGISTRY = "warning-registry"
    PENDING_TASKS = "pending-tasks"
    EVENT_LOOP_TIMERS = "event-loop-timers"
    THREAD_LOCAL_DATA = "thread-local-data"
    CONTEXT_VARIABLES = "context-variables"
    LISTENERS = "listeners"
    UNFINISHED_GENERATORS = "unfinished-generators"
    CLOSURES = "closures"
    WEAK_KEYS_KEPT_BY_VALUES = "weak-keys-kept-by-values"
    RUN_TIME_MODULES = "run-time-modules"
    RUN_TIME_ATTRIBUTES = "run-time-attributes"
    UNBOUNDED_MAPPING = "unbounded-mapping"
    UNBOUNDED_COLLECTION = "unbounded-collection"
    ENDLESS_CHAIN = "endless-chain"
