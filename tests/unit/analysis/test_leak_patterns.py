"""Each known culprit is known by its path, and nothing else is taken for it."""

from __future__ import annotations

import pytest

from heap_exporter.analysis.leak_patterns import CONTAINERS, PARTICULAR, advice

CATALOGUE = PARTICULAR + CONTAINERS
MODULE = ("shop", "module")
CLASS = ("shop.Service", "type")
WRAPPER = "functools._lru_cache_wrapper"

TRAILS: dict[str, list[tuple[str, str]]] = {
    "uncollected cycles": [("garbage", ""), ("Node", "shop.Node")],
    "held by C code": [("held from outside", ""), ("Buffer", "lib.Buffer")],
    "lru_cache on a method": [MODULE, CLASS, ("shop.Service.price", WRAPPER), ("lru_cache entry", "tuple")],
    "lru_cache": [MODULE, ("shop.price", WRAPPER), ("lru_cache entry", "bytes")],
    "logging handlers": [MODULE, ("shop.LOG", "logging.Logger"), ("Logger.handlers", "list"), ("list item", "shop.H")],
    "loggers": [
        ("logging", "module"),
        ("logging.root", "logging.RootLogger"),
        ("RootLogger.manager", "logging.Manager"),
        ("Manager.loggerDict", "dict"),
        ("dict value", "logging.Logger"),
    ],
    "exception tracebacks": [
        MODULE,
        ("shop.E", "list"),
        ("list item", "ValueError"),
        ("ValueError.__traceback__", "traceback"),
    ],
    "threads that never end": [
        ("threading", "module"),
        ("threading._active", "dict"),
        ("dict value", "threading.Thread"),
    ],
    "finalizers": [
        ("weakref", "module"),
        ("weakref.finalize", "type"),
        ("weakref.finalize._registry", "dict"),
        ("dict value", "weakref.finalize._Info"),
    ],
    "gc.garbage": [("gc", "module"), ("gc.garbage", "list"), ("list item", "shop.Node")],
    "warnings of ever new text": [MODULE, ("shop.__warningregistry__", "dict"), ("dict key", "tuple")],
    "forgotten tasks": [MODULE, ("shop.WAITING", "set"), ("set item", "_asyncio.Task")],
    "timers of the event loop": [
        ("threads", ""),
        ("event loop", "asyncio.unix_events._UnixSelectorEventLoop"),
        ("event loop › timers", "list"),
        ("list item", "asyncio.events.TimerHandle"),
    ],
    "thread-local data": [
        MODULE,
        ("shop.LOCAL", "_thread._local"),
        ("thread-local attribute", "list"),
        ("list item", "int"),
    ],
    "context variables": [("interpreter", ""), ("context", "Context"), ("context value", "list"), ("list item", "int")],
    "listeners": [MODULE, ("shop.BUS", "shop.Bus"), ("Bus.listeners", "list"), ("list item", "method")],
    "generators that were not finished": [MODULE, ("shop.OPEN", "list"), ("list item", "generator")],
    "closures": [MODULE, ("shop.run", "function"), ("closure seen", "list"), ("list item", "shop.Job")],
    "weak keys that their values keep": [
        MODULE,
        ("shop.META", "weakref.WeakKeyDictionary"),
        ("WeakKeyDictionary.data", "dict"),
        ("dict value", "shop.Meta"),
    ],
    "a mapping without a limit": [MODULE, ("shop.STORE", "dict"), ("dict value", "shop.Session")],
    "a collection without a limit": [MODULE, ("shop.LOG", "collections.deque"), ("deque item", "shop.Entry")],
    "a chain without an end": [MODULE, ("shop.ROOT", "shop.f.<locals>.Node"), ("Node.next", "shop.f.<locals>.Node")],
}
"""One for each entry of the catalogue, by its name."""


def test_the_catalogue_is_covered() -> None:
    assert list(TRAILS) == [culprit.name for culprit in CATALOGUE]


@pytest.mark.parametrize("name", TRAILS)
def test_a_culprit_is_known_by_its_path(name: str) -> None:
    [known] = [culprit for culprit in CATALOGUE if culprit.name == name]

    assert advice([("modules", ""), *TRAILS[name]]) == known.advice


def test_the_particular_comes_before_the_general_whichever_trail_shows_it() -> None:
    way, onwards = TRAILS["exception tracebacks"][:-1], TRAILS["exception tracebacks"][-1:]

    assert advice(way) == advice(TRAILS["a collection without a limit"])
    assert advice(way, [[("ValueError.args", "tuple")], onwards]) == advice([*way, *onwards])


def test_the_container_of_what_accumulates_decides_not_one_inside_it_nor_around_it() -> None:
    entries = [MODULE, ("shop.LOG", "list"), ("list item", "shop.Entry")]
    inside = [("Entry.fields", "dict"), ("dict value", "str")]
    around = [MODULE, ("shop.LOGS", "dict"), ("dict value", "shop.Log"), ("Log.entries", "list"), ("list item", "str")]

    assert advice(entries, [inside]) == advice(entries) == advice(around)
    assert advice([*entries, *inside]) != advice(entries)


@pytest.mark.parametrize(
    "trail",
    [
        [MODULE, ("shop.ROOT", "shop.Node"), ("Node.payload", "bytes")],
        [MODULE, ("shop.lru_cache", "shop.Cache"), ("Cache.entry", "shop.Entry")],
        [],
    ],
)
def test_where_nothing_is_known_nothing_is_advised(trail: list[tuple[str, str]]) -> None:
    assert advice(trail) == ""


@pytest.mark.parametrize("culprit", CATALOGUE, ids=lambda culprit: culprit.name)
def test_advice_is_one_line_that_ends_in_a_full_stop(culprit: object) -> None:
    text = getattr(culprit, "advice", "")

    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 200
