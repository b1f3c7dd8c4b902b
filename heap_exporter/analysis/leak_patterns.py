"""Known leak patterns: one rule each, matched on the kinds and types of the steps to the objects that accumulate.

A pattern concerns the accumulating objects and their container, or the objects behind them. The number of objects on
the path to the container did not grow: a handler, a thread or a function that refers to a growing list is not the leak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from heap_exporter.analysis.edge_labels import TASKS
from heap_exporter.analysis.results import short_name
from heap_exporter.model.paths import LeakPattern, Step, StepKind
from heap_exporter.model.runtime_names import VARIABLE_PART

LRU_CACHE = "functools._lru_cache_wrapper"
GENERATORS = ("generator", "async_generator")

ATTRIBUTES = (
    StepKind.MODULE_GLOBAL,
    StepKind.CLASS_ATTRIBUTE,
    StepKind.FUNCTION_ATTRIBUTE,
    StepKind.ATTRIBUTE,
)
ENTRIES = (StepKind.DICT_VALUE, StepKind.DICT_KEY)
ELEMENTS = (StepKind.ITEM, StepKind.DICT_VALUE)
FIXED = ("tuple", "frozenset")


class Link(NamedTuple):
    """A step and the type of the objects behind it, "" for a holder."""

    step: Step
    type_name: str


_ROOT = Link(Step(StepKind.ROOT), "")

Trail = tuple[Link, ...]
"""The links from below the root to the objects that accumulate."""


def uncollected_cycles(trail: Trail, _at: int) -> bool:
    """Return whether only reference cycles hold the objects."""
    return trail[0].step.kind is StepKind.GARBAGE


def held_by_c_code(trail: Trail, at: int) -> bool:
    """Return whether no Python object holds the objects."""
    return at == 1 and trail[0].step.kind is StepKind.OUTSIDE


def lru_cache_on_a_method(trail: Trail, at: int) -> bool:
    """Return whether the objects are entries of an ``lru_cache`` that is an attribute of a class or an instance."""
    owner, cache = _above(trail, at - 1), _above(trail, at)
    is_on_method = owner.type_name not in ("", "module") and cache.step.kind in ATTRIBUTES
    return is_on_method and lru_cache(trail, at)


def lru_cache(trail: Trail, at: int) -> bool:
    """Return whether the objects are entries of an ``lru_cache``."""
    return _above(trail, at).type_name == LRU_CACHE and trail[at].step.kind is StepKind.LRU_CACHE_ENTRY


def logging_handlers(trail: Trail, at: int) -> bool:
    """Return whether the objects are handlers of a logger."""
    handlers = _above(trail, at)
    is_of_logger = short_name(handlers.step.owner_type).endswith("Logger") and handlers.step.name == "handlers"
    return is_of_logger and handlers.type_name == "list" and trail[at].step.kind is StepKind.ITEM


def loggers(trail: Trail, at: int) -> bool:
    """Return whether the objects are loggers, by their names in the logging manager."""
    return _is_entry_of(trail, at, "logging.Manager", "loggerDict")


def exception_tracebacks(trail: Trail, at: int) -> bool:
    """Return whether the tracebacks of exceptions are among the objects."""
    step = trail[at].step
    is_traceback = step.kind in ATTRIBUTES and step.name == "__traceback__"
    return is_traceback or step.kind is StepKind.TRACEBACK_FRAME


def endless_threads(trail: Trail, at: int) -> bool:
    """Return whether the objects are running threads."""
    return _is_entry_of(trail, at, "threading", "_active")


def finalizers(trail: Trail, at: int) -> bool:
    """Return whether the objects wait for ``weakref.finalize``."""
    return _is_entry_of(trail, at, "weakref.finalize", "_registry")


def gc_garbage(trail: Trail, at: int) -> bool:
    """Return whether the list ``gc.garbage`` holds the objects."""
    return _is_named(_above(trail, at), "gc", "garbage")


def warning_registry(trail: Trail, at: int) -> bool:
    """Return whether the objects are warnings that were shown."""
    registry = _above(trail, at)
    return registry.step.name == "__warningregistry__" and registry.type_name == "dict"


def pending_tasks(trail: Trail, at: int) -> bool:
    """Return whether the objects are asyncio tasks."""
    return trail[at].type_name in TASKS


def event_loop_timers(trail: Trail, at: int) -> bool:
    """Return whether the objects are scheduled callbacks of an event loop."""
    return trail[at].step.kind is StepKind.SCHEDULED_CALLBACK


def thread_local_data(trail: Trail, at: int) -> bool:
    """Return whether the objects are ``threading.local`` data, or items of such data."""
    return _is_or_is_in(trail, at, StepKind.THREAD_LOCAL_ATTRIBUTE)


def context_variables(trail: Trail, at: int) -> bool:
    """Return whether the objects are values of context variables, or items of such a value."""
    return _is_or_is_in(trail, at, StepKind.CONTEXT_VALUE)


def listeners(trail: Trail, at: int) -> bool:
    """Return whether the objects are bound methods in a container."""
    return trail[at].step.kind in ELEMENTS and trail[at].type_name == "method"


def unfinished_generators(trail: Trail, at: int) -> bool:
    """Return whether the objects are generators in a container."""
    return trail[at].step.kind in (StepKind.ITEM, *ENTRIES) and trail[at].type_name in GENERATORS


def closures(trail: Trail, at: int) -> bool:
    """Return whether the objects are functions in a container, or variables of a growing number of closures."""
    is_function = trail[at].step.kind in ELEMENTS and trail[at].type_name == "function"
    return is_function or trail[at].step.kind is StepKind.CLOSURE_VARIABLE


def weak_keys_kept_by_values(trail: Trail, at: int) -> bool:
    """Return whether the objects are values of a ``WeakKeyDictionary``."""
    data = _above(trail, at)
    is_weak = short_name(data.step.owner_type) == "WeakKeyDictionary" and data.step.name == "data"
    return is_weak and data.type_name == "dict" and trail[at].step.kind is StepKind.DICT_VALUE


def run_time_modules(trail: Trail, at: int) -> bool:
    """Return whether the objects are modules with names made at run time."""
    return trail[at].step.kind is StepKind.MODULE and VARIABLE_PART in trail[at].step.name


def run_time_attributes(trail: Trail, at: int) -> bool:
    """Return whether the objects are values of attributes with names made at run time."""
    return trail[at].step.kind in ATTRIBUTES and VARIABLE_PART in trail[at].step.name


def unbounded_mapping(trail: Trail, at: int) -> bool:
    """Return whether the objects are entries of a mapping."""
    return trail[at].step.kind in ENTRIES


def unbounded_collection(trail: Trail, at: int) -> bool:
    """Return whether the objects are items of a list, a set or a deque."""
    return trail[at].step.kind is StepKind.ITEM and _above(trail, at).type_name not in FIXED


def endless_chain(trail: Trail, at: int) -> bool:
    """Return whether the objects refer to one another by an attribute."""
    return _above(trail, at).type_name == trail[at].type_name and trail[at].step.kind in ATTRIBUTES


Rule = Callable[[Trail, int], bool]
"""Returns whether the link at an index of a trail is one of the objects that the pattern concerns."""

SPECIFIC: dict[LeakPattern, Rule] = {
    LeakPattern.UNCOLLECTED_CYCLES: uncollected_cycles,
    LeakPattern.HELD_BY_C_CODE: held_by_c_code,
    LeakPattern.LRU_CACHE_ON_A_METHOD: lru_cache_on_a_method,
    LeakPattern.LRU_CACHE: lru_cache,
    LeakPattern.LOGGING_HANDLERS: logging_handlers,
    LeakPattern.LOGGERS: loggers,
    LeakPattern.EXCEPTION_TRACEBACKS: exception_tracebacks,
    LeakPattern.ENDLESS_THREADS: endless_threads,
    LeakPattern.FINALIZERS: finalizers,
    LeakPattern.GC_GARBAGE: gc_garbage,
    LeakPattern.WARNING_REGISTRY: warning_registry,
    LeakPattern.PENDING_TASKS: pending_tasks,
    LeakPattern.EVENT_LOOP_TIMERS: event_loop_timers,
    LeakPattern.THREAD_LOCAL_DATA: thread_local_data,
    LeakPattern.CONTEXT_VARIABLES: context_variables,
    LeakPattern.LISTENERS: listeners,
    LeakPattern.UNFINISHED_GENERATORS: unfinished_generators,
    LeakPattern.CLOSURES: closures,
}
"""Rules for the accumulating objects and for what is behind them. The first match counts."""

CONTAINERS: dict[LeakPattern, Rule] = {
    LeakPattern.WEAK_KEYS_KEPT_BY_VALUES: weak_keys_kept_by_values,
    LeakPattern.RUN_TIME_MODULES: run_time_modules,
    LeakPattern.RUN_TIME_ATTRIBUTES: run_time_attributes,
    LeakPattern.UNBOUNDED_MAPPING: unbounded_mapping,
    LeakPattern.UNBOUNDED_COLLECTION: unbounded_collection,
    LeakPattern.ENDLESS_CHAIN: endless_chain,
}
"""Rules for the accumulating objects only, by their container."""


def leak_pattern(trail: Trail, onwards: Iterable[Trail] = ()) -> LeakPattern | None:
    """Return the known leak pattern of a retainer path to what accumulates, ``None`` where no rule matches.

    ``trail`` has the links from below the root to the accumulating objects, ``onwards`` has trails from there on. A
    specific pattern in any of them counts first, then the container of the objects.
    """
    if not trail:
        return None
    last = len(trail) - 1
    places = [(each, at) for each in _with_onwards(trail, onwards) for at in range(last, len(each))]
    for pattern, matches in SPECIFIC.items():
        if any(matches(each, at) for each, at in places):
            return pattern
    return next((pattern for pattern, matches in CONTAINERS.items() if matches(trail, last)), None)


def _with_onwards(trail: Trail, onwards: Iterable[Trail]) -> list[Trail]:
    return [trail, *((*trail, *further) for further in onwards)]


def _above(trail: Trail, at: int) -> Link:
    """Return the link before one of a leak pattern's trail: the root before the first."""
    return trail[at - 1] if at > 0 else _ROOT


def _is_named(link: Link, owner: str, name: str) -> bool:
    return (link.step.owner_type, link.step.name) == (owner, name)


def _is_entry_of(trail: Trail, at: int, owner: str, name: str) -> bool:
    return _is_named(_above(trail, at), owner, name) and trail[at].step.kind in ENTRIES


def _is_or_is_in(trail: Trail, at: int, kind: StepKind) -> bool:
    link = trail[at]
    is_inside = link.step.kind in (StepKind.ITEM, *ENTRIES) and _above(trail, at).step.kind is kind
    return link.step.kind is kind or is_inside
