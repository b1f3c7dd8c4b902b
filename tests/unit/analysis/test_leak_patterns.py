"""Each leak pattern matches its path, and nothing else matches it."""

from __future__ import annotations

import pytest

from heap_exporter.analysis.leak_patterns import CONTAINERS, SPECIFIC, Link, Trail, leak_pattern
from heap_exporter.model import LeakPattern, Step, StepKind
from tests.heaps.steps import step

WRAPPER = "functools._lru_cache_wrapper"


def trail(*links: tuple[str | Step, str]) -> Trail:
    """Return a trail from steps, as text or typed, and types."""
    return tuple(Link(step(each) if isinstance(each, str) else each, type_name) for each, type_name in links)


SHOP = ("shop", "module")
CLASS = ("shop.Service", "type")
HANDLERS = Step(StepKind.ATTRIBUTE, "logging.Logger", "handlers")
LOGGER_DICT = Step(StepKind.ATTRIBUTE, "logging.Manager", "loggerDict")
WEAK_DATA = Step(StepKind.ATTRIBUTE, "weakref.WeakKeyDictionary", "data")
REGISTRY = Step(StepKind.CLASS_ATTRIBUTE, "weakref.finalize", "_registry")

TRAILS: dict[LeakPattern, Trail] = {
    LeakPattern.UNCOLLECTED_CYCLES: trail(("garbage", ""), ("Node", "shop.Node")),
    LeakPattern.HELD_BY_C_CODE: trail(("held from outside", ""), ("Buffer", "lib.Buffer")),
    LeakPattern.LRU_CACHE_ON_A_METHOD: trail(
        SHOP, CLASS, ("shop.Service.price", WRAPPER), ("lru_cache entry", "tuple")
    ),
    LeakPattern.LRU_CACHE: trail(SHOP, ("shop.price", WRAPPER), ("lru_cache entry", "bytes")),
    LeakPattern.LOGGING_HANDLERS: trail(
        SHOP, ("shop.LOG", "logging.Logger"), (HANDLERS, "list"), ("list item", "shop.H")
    ),
    LeakPattern.LOGGERS: trail(
        ("logging", "module"),
        ("logging.root", "logging.RootLogger"),
        ("RootLogger.manager", "logging.Manager"),
        (LOGGER_DICT, "dict"),
        ("dict value", "logging.Logger"),
    ),
    LeakPattern.EXCEPTION_TRACEBACKS: trail(
        SHOP, ("shop.E", "list"), ("list item", "ValueError"), ("ValueError.__traceback__", "traceback")
    ),
    LeakPattern.ENDLESS_THREADS: trail(
        ("threading", "module"), ("threading._active", "dict"), ("dict value", "threading.Thread")
    ),
    LeakPattern.FINALIZERS: trail(
        ("weakref", "module"),
        ("weakref.finalize", "type"),
        (REGISTRY, "dict"),
        ("dict value", "weakref.finalize._Info"),
    ),
    LeakPattern.GC_GARBAGE: trail(("gc", "module"), ("gc.garbage", "list"), ("list item", "shop.Node")),
    LeakPattern.WARNING_REGISTRY: trail(SHOP, ("shop.__warningregistry__", "dict"), ("dict key", "tuple")),
    LeakPattern.PENDING_TASKS: trail(SHOP, ("shop.WAITING", "set"), ("set item", "_asyncio.Task")),
    LeakPattern.EVENT_LOOP_TIMERS: trail(
        ("threads", ""),
        ("event loop", ""),
        ("event loop › scheduled callback", "asyncio.events.TimerHandle"),
    ),
    LeakPattern.THREAD_LOCAL_DATA: trail(
        SHOP, ("shop.LOCAL", "_thread._local"), ("thread-local attribute", "list"), ("list item", "int")
    ),
    LeakPattern.CONTEXT_VARIABLES: trail(
        ("interpreter", ""), ("context", "Context"), ("context value", "list"), ("list item", "int")
    ),
    LeakPattern.LISTENERS: trail(SHOP, ("shop.BUS", "shop.Bus"), ("Bus.listeners", "list"), ("list item", "method")),
    LeakPattern.UNFINISHED_GENERATORS: trail(SHOP, ("shop.OPEN", "list"), ("list item", "generator")),
    LeakPattern.CLOSURES: trail(SHOP, ("shop.CALLBACKS", "list"), ("list item", "function")),
    LeakPattern.WEAK_KEYS_KEPT_BY_VALUES: trail(
        SHOP, ("shop.META", "weakref.WeakKeyDictionary"), (WEAK_DATA, "dict"), ("dict value", "shop.Meta")
    ),
    LeakPattern.RUN_TIME_MODULES: trail(("modules", ""), ("plugin_…", "module")),
    LeakPattern.RUN_TIME_ATTRIBUTES: trail(
        SHOP, ("shop.App", "type"), ("App.state", "shop.State"), ("State.session_…", "dict")
    ),
    LeakPattern.UNBOUNDED_MAPPING: trail(SHOP, ("shop.STORE", "dict"), ("dict value", "shop.Session")),
    LeakPattern.UNBOUNDED_COLLECTION: trail(SHOP, ("shop.LOG", "collections.deque"), ("deque item", "shop.Entry")),
    LeakPattern.ENDLESS_CHAIN: trail(
        SHOP, ("shop.ROOT", "shop.f.<locals>.Node"), ("Node.next", "shop.f.<locals>.Node")
    ),
}


SEEN = trail(("Thing.seen", "list"), ("list item", "shop.Row"))
BY_NUMBER = trail(("Thing.by_number", "shop.Index"), (Step(StepKind.DICT_VALUE, "shop.Index"), "shop.Row"))
BUFFER = trail(("Thing.buffer", "bytearray"))
"""Ways on from a thing to a container that grows, and to a buffer."""


def test_every_pattern_has_one_rule_and_one_trail_here() -> None:
    assert [*SPECIFIC, *CONTAINERS] == list(TRAILS) == list(LeakPattern)


@pytest.mark.parametrize("pattern", LeakPattern)
def test_a_pattern_is_recognised_by_its_path(pattern: LeakPattern) -> None:
    assert leak_pattern(TRAILS[pattern]) is pattern


def test_the_logger_of_an_application_is_a_logger_too() -> None:
    handlers = Step(StepKind.ATTRIBUTE, "shop.AuditLogger", "handlers")
    of_shop = trail(SHOP, ("shop.LOG", "shop.AuditLogger"), (handlers, "list"), ("list item", "shop.H"))

    assert leak_pattern(of_shop) is LeakPattern.LOGGING_HANDLERS


def test_a_specific_pattern_comes_before_the_container_whichever_trail_shows_it() -> None:
    errors = TRAILS[LeakPattern.EXCEPTION_TRACEBACKS]
    way, onwards = errors[:-1], errors[-1:]

    assert leak_pattern(way) is LeakPattern.UNBOUNDED_COLLECTION
    assert leak_pattern(way, [trail(("ValueError.args", "tuple")), onwards]) is LeakPattern.EXCEPTION_TRACEBACKS


@pytest.mark.parametrize("pattern", [pattern for pattern in SPECIFIC if pattern is not LeakPattern.UNCOLLECTED_CYCLES])
def test_what_lies_on_the_way_to_the_container_that_grows_is_no_pattern(pattern: LeakPattern) -> None:
    on_the_way = TRAILS[pattern]

    assert leak_pattern((*on_the_way, *SEEN)) is LeakPattern.UNBOUNDED_COLLECTION
    assert leak_pattern((*on_the_way, *BY_NUMBER)) is LeakPattern.UNBOUNDED_MAPPING
    assert leak_pattern((*on_the_way, *BUFFER)) is None


def test_the_variable_of_a_closure_is_a_container_like_any_other() -> None:
    closure = trail(SHOP, ("shop.run", "function"), ("closure seen", "list"), ("list item", "shop.Job"))

    assert leak_pattern(closure) is LeakPattern.UNBOUNDED_COLLECTION


def test_the_variables_of_more_and_more_closures_are_a_pattern() -> None:
    jobs = trail(SHOP, ("shop.JOBS", "list"), ("list item", "shop.Job"))

    assert leak_pattern(jobs, [trail(("Job.run", "function"), ("closure body", "bytes"))]) is LeakPattern.CLOSURES


def test_the_container_of_the_objects_decides() -> None:
    entries = trail(SHOP, ("shop.LOG", "list"), ("list item", "shop.Entry"))
    inside = trail(("Entry.fields", "dict"), ("dict value", "str"))
    around = trail(
        SHOP, ("shop.LOGS", "dict"), ("dict value", "shop.Log"), ("Log.entries", "list"), ("list item", "str")
    )

    assert leak_pattern(entries, [inside]) is LeakPattern.UNBOUNDED_COLLECTION
    assert leak_pattern(around) is LeakPattern.UNBOUNDED_COLLECTION
    assert leak_pattern((*entries, *inside)) is LeakPattern.UNBOUNDED_MAPPING


@pytest.mark.parametrize(
    "unknown",
    [
        trail(SHOP, ("shop.ROOT", "shop.Node"), ("Node.payload", "bytes")),
        trail(SHOP, ("shop.lru_cache", "shop.Cache"), ("Cache.entry", "shop.Entry")),
        trail(SHOP, ("shop.STORE", "shop.Store"), (Step(StepKind.INSIDE, "shop.Store"), "shop.Store")),
        trail(SHOP, ("shop.PAIR", "tuple"), ("tuple item", "bytes")),
        (),
    ],
)
def test_other_paths_match_no_pattern(unknown: Trail) -> None:
    assert leak_pattern(unknown) is None
