"""Known leak patterns: one rule each, matched on the kinds and types of the steps to the objects that accumulate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

from heap_exporter.analysis.results import short_name
from heap_exporter.model.paths import LeakPattern, Step, StepKind

LRU_CACHE = "functools._lru_cache_wrapper"
MAPPINGS = ("dict", "collections.OrderedDict", "collections.defaultdict", "collections.Counter")
COLLECTIONS = ("list", "set", "collections.deque")
TASKS = ("_asyncio.Task", "asyncio.tasks.Task")
GENERATORS = ("generator", "async_generator")

ATTRIBUTES = (
    StepKind.MODULE_GLOBAL,
    StepKind.CLASS_ATTRIBUTE,
    StepKind.FUNCTION_ATTRIBUTE,
    StepKind.ATTRIBUTE,
)
ENTRIES = (StepKind.DICT_VALUE, StepKind.DICT_KEY)
ELEMENTS = (StepKind.ITEM, StepKind.DICT_VALUE)


class Link(NamedTuple):
    """A step and the type of the objects behind it, "" for a holder."""

    step: Step
    type_name: str


Trail = tuple[Link, ...]
"""The links from below the root to the objects that accumulate."""


def uncollected_cycles(trail: Trail) -> bool:
    """Return whether only reference cycles hold the objects."""
    return _begins_with(trail, StepKind.GARBAGE)


def held_by_c_code(trail: Trail) -> bool:
    """Return whether no Python object holds the objects."""
    return _begins_with(trail, StepKind.OUTSIDE)


def lru_cache_on_a_method(trail: Trail) -> bool:
    """Return whether an ``lru_cache`` that is an attribute of a class or an instance holds the objects."""
    return any(
        owner.type_name not in ("", "module") and cache.step.kind in ATTRIBUTES and _is_lru_cache_entry(cache, entry)
        for owner, cache, entry in zip(trail, trail[1:], trail[2:], strict=False)
    )


def lru_cache(trail: Trail) -> bool:
    """Return whether an ``lru_cache`` holds the objects."""
    return any(_is_lru_cache_entry(cache, entry) for cache, entry in pairwise(trail))


def logging_handlers(trail: Trail) -> bool:
    """Return whether the objects are handlers of a logger."""
    return any(
        short_name(handlers.step.owner_type).endswith("Logger")
        and handlers.step.name == "handlers"
        and handlers.type_name == "list"
        and handler.step.kind is StepKind.ITEM
        for handlers, handler in pairwise(trail)
    )


def loggers(trail: Trail) -> bool:
    """Return whether the objects are loggers, by their names in the logging manager."""
    return _has_entry_of(trail, "logging.Manager", "loggerDict")


def exception_tracebacks(trail: Trail) -> bool:
    """Return whether the traceback of an exception holds the objects."""
    return any(
        (link.step.kind in ATTRIBUTES and link.step.name == "__traceback__")
        or link.step.kind is StepKind.TRACEBACK_FRAME
        for link in trail
    )


def endless_threads(trail: Trail) -> bool:
    """Return whether the objects are running threads."""
    return _has_entry_of(trail, "threading", "_active")


def finalizers(trail: Trail) -> bool:
    """Return whether the objects wait for ``weakref.finalize``."""
    return any((link.step.owner_type, link.step.name) == ("weakref.finalize", "_registry") for link in trail)


def gc_garbage(trail: Trail) -> bool:
    """Return whether the list ``gc.garbage`` holds the objects."""
    return any((link.step.owner_type, link.step.name) == ("gc", "garbage") for link in trail)


def warning_registry(trail: Trail) -> bool:
    """Return whether the objects are warnings that were shown."""
    return any(link.step.name == "__warningregistry__" and link.type_name == "dict" for link in trail)


def pending_tasks(trail: Trail) -> bool:
    """Return whether asyncio tasks are, or hold, the objects."""
    return any(link.type_name in TASKS for link in trail)


def event_loop_timers(trail: Trail) -> bool:
    """Return whether scheduled callbacks of an event loop hold the objects."""
    return any(
        link.step.kind is StepKind.EVENT_LOOP_ATTRIBUTE and link.step.name in ("_scheduled", "_ready") for link in trail
    )


def thread_local_data(trail: Trail) -> bool:
    """Return whether ``threading.local`` data hold the objects."""
    return _has_kind(trail, StepKind.THREAD_LOCAL_ATTRIBUTE)


def context_variables(trail: Trail) -> bool:
    """Return whether values of context variables are, or hold, the objects."""
    return _has_kind(trail, StepKind.CONTEXT_VALUE)


def listeners(trail: Trail) -> bool:
    """Return whether a container holds bound methods."""
    return any(link.step.kind in ELEMENTS and link.type_name == "method" for link in trail)


def unfinished_generators(trail: Trail) -> bool:
    """Return whether a container holds generators."""
    return any(link.step.kind in (StepKind.ITEM, *ENTRIES) and link.type_name in GENERATORS for link in trail)


def closures(trail: Trail) -> bool:
    """Return whether the closure of a function holds the objects, or a container holds functions."""
    return _has_kind(trail, StepKind.CLOSURE_VARIABLE) or any(
        link.step.kind in ELEMENTS and link.type_name == "function" for link in trail
    )


def weak_keys_kept_by_values(trail: Trail) -> bool:
    """Return whether the objects are values of a ``WeakKeyDictionary``."""
    data, value = trail[-2:]
    is_weak = short_name(data.step.owner_type) == "WeakKeyDictionary" and data.step.name == "data"
    return is_weak and data.type_name == "dict" and value.step.kind is StepKind.DICT_VALUE


def unbounded_mapping(trail: Trail) -> bool:
    """Return whether the objects are entries of a dict."""
    mapping, entry = trail[-2:]
    return mapping.type_name in MAPPINGS and entry.step.kind in ENTRIES


def unbounded_collection(trail: Trail) -> bool:
    """Return whether the objects are items of a list, a set or a deque."""
    collection, item = trail[-2:]
    return collection.type_name in COLLECTIONS and item.step.kind is StepKind.ITEM


def endless_chain(trail: Trail) -> bool:
    """Return whether the objects refer to one another by an attribute."""
    owner, owned = trail[-2:]
    return owner.type_name == owned.type_name and owned.step.kind in ATTRIBUTES


Rule = Callable[[Trail], bool]

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
"""Rules for a whole trail, behind the accumulating objects too. The first match counts."""

CONTAINERS: dict[LeakPattern, Rule] = {
    LeakPattern.WEAK_KEYS_KEPT_BY_VALUES: weak_keys_kept_by_values,
    LeakPattern.UNBOUNDED_MAPPING: unbounded_mapping,
    LeakPattern.UNBOUNDED_COLLECTION: unbounded_collection,
    LeakPattern.ENDLESS_CHAIN: endless_chain,
}
"""Rules for the last two links of a trail. The match nearest to the accumulating objects counts."""


def leak_pattern(trail: Trail, onwards: Iterable[Trail] = ()) -> LeakPattern | None:
    """Return the known leak pattern of a retainer path to what accumulates, ``None`` where no rule matches.

    ``trail`` has the links from below the root to the accumulating objects, ``onwards`` has trails from there on. A
    specific pattern in any of them counts first, then the container that is nearest to the objects.
    """
    trails = [trail, *((*trail, *further) for further in onwards)]
    for pattern, matches in SPECIFIC.items():
        if any(map(matches, trails)):
            return pattern
    for length in range(len(trail), 1, -1):
        for pattern, matches in CONTAINERS.items():
            if matches(trail[:length]):
                return pattern
    return None


def _begins_with(trail: Trail, kind: StepKind) -> bool:
    return bool(trail) and trail[0].step.kind is kind


def _has_kind(trail: Trail, kind: StepKind) -> bool:
    return any(link.step.kind is kind for link in trail)


def _is_lru_cache_entry(cache: Link, entry: Link) -> bool:
    return cache.type_name == LRU_CACHE and entry.step.kind is StepKind.LRU_CACHE_ENTRY


def _has_entry_of(trail: Trail, owner: str, name: str) -> bool:
    return any(
        (mapping.step.owner_type, mapping.step.name) == (owner, name) and entry.step.kind in ENTRIES
        for mapping, entry in pairwise(trail)
    )
