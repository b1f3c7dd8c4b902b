"""The limits of caches, found by the typed steps of a path in the running process."""

from __future__ import annotations

import functools
import types
from collections import OrderedDict, deque
from collections.abc import Iterator

import pytest

from heap_exporter.investigation.cache_limits import cache_limit
from tests.heaps.steps import path


class Cache:
    """A cache like those of cachetools: a limit and a dict."""

    def __init__(self, maxsize: int, entries: int) -> None:
        self.__maxsize = maxsize
        self.__data = dict.fromkeys(range(entries))

    @property
    def maxsize(self) -> int:
        raise AssertionError("the application's code was run")

    def __len__(self) -> int:
        raise AssertionError("the application's code was run")


class Lru(OrderedDict[int, None]):
    """A cache that is a dict itself."""

    def __init__(self, max_size: int, entries: int) -> None:
        super().__init__(dict.fromkeys(range(entries)))
        self.max_size = max_size


class Slotted:
    __slots__ = ("cache",)

    def __init__(self, cache: object) -> None:
        self.cache = cache


class SlottedCache:
    __slots__ = ("_data", "_max")

    def __init__(self, most: int, entries: int) -> None:
        self._max, self._data = most, dict.fromkeys(range(entries))


class Statements:
    """A cache that removes entries once it is half over its capacity, like SQLAlchemy's; the share is ``threshold``."""

    __slots__ = ("capacity", "stored", "threshold")

    def __init__(self, capacity: int, threshold: float, entries: int) -> None:
        self.capacity, self.threshold, self.stored = capacity, threshold, dict.fromkeys(range(entries))


class Weighed:
    """A cache whose limit is a sum of sizes, like those of cachetools with ``getsizeof``."""

    def __init__(self, maxsize: int, currsize: int, entries: int) -> None:
        self.__maxsize, self.__currsize = maxsize, currsize
        self.__data = dict.fromkeys(range(entries))


class Pool:
    """A pool of connections in a list, like that of redis."""

    def __init__(self, max_connections: int, entries: int) -> None:
        self.max_connections, self._idle = max_connections, [object() for _ in range(entries)]


class Service:
    @functools.lru_cache(maxsize=100)  # noqa: B019  # the subject of the test
    def price(self, number: int) -> int:
        return number


@functools.lru_cache(maxsize=50)
def limited(number: int) -> int:
    return number


@functools.cache
def unlimited(number: int) -> int:
    return number


@pytest.fixture
def modules() -> Iterator[dict[str, types.ModuleType]]:
    shop = types.ModuleType("shop.stock")
    vars(shop).update(limited=limited, unlimited=unlimited, Service=Service)
    for number in range(30):
        limited(number)
        unlimited(number)
        Service().price(number)
    yield {"shop.stock": shop, "shop": types.ModuleType("shop")}
    for cached in (limited, unlimited, Service.price):
        cached.cache_clear()


def test_an_lru_cache_below_its_maxsize_is_bounded(modules: dict[str, types.ModuleType]) -> None:
    found = cache_limit(path("shop.stock.limited", "lru_cache entry"), modules)

    assert found is not None
    assert (found.entries, found.max_entries) == (30, 50)
    assert found.step == path("shop.stock.limited")[0]


def test_an_lru_cache_on_a_method_is_found(modules: dict[str, types.ModuleType]) -> None:
    found = cache_limit(path("shop.stock.Service.price", "lru_cache entry", "tuple item"), modules)

    assert found is not None
    assert found.max_entries == 100


def test_an_lru_cache_without_maxsize_has_no_bound(modules: dict[str, types.ModuleType]) -> None:
    assert cache_limit(path("shop.stock.unlimited", "lru_cache entry"), modules) is None


@pytest.mark.parametrize(
    ("value", "steps", "most"),
    [
        (Cache(1000, 400), ("Cache._Cache__data", "dict value"), 1000),
        (SlottedCache(600, 20), ("SlottedCache._data", "dict value"), 600),
        (Lru(500, 20), ("OrderedDict value",), 500),
        (deque(range(5), maxlen=9), ("deque item",), 9),
        (Slotted(Cache(70, 4)), ("Slotted.cache", "Cache._Cache__data", "dict value"), 70),
        (Statements(500, 0.5, 700), ("Statements.stored", "dict value"), 750),
        (Statements(500, 0.1, 20), ("Statements.stored", "dict value"), 550),
        (Cache(100, 140), ("Cache._Cache__data", "dict value"), 150),
        (Weighed(9000, 4000, 12), ("Weighed._Weighed__data", "dict value"), 9000),
        (Pool(50, 20), ("Pool._idle", "list item"), 50),
        ({"a": Cache(70, 4), "b": Cache(80, 4)}, ("dict value", "Cache._Cache__data", "dict value"), 80),
    ],
)
def test_a_cache_with_a_limit_is_bounded(
    value: object, steps: tuple[str, ...], most: int, modules: dict[str, types.ModuleType]
) -> None:
    modules["shop.stock"].PLACE = value  # type: ignore[attr-defined]  # a module of this test

    found = cache_limit(path("shop.stock.PLACE", *steps), modules)

    assert found is not None
    assert found.max_entries == most


@pytest.mark.parametrize(
    ("value", "steps"),
    [
        ({}, ("dict value",)),
        ([], ("list item",)),
        (deque(), ("deque item",)),
        (Statements(500, 0.1, 700), ("Statements.stored", "dict value")),
        (Cache(100, 160), ("Cache._Cache__data", "dict value")),
        (Weighed(100, 4000, 12), ("Weighed._Weighed__data", "dict value")),
        (Cache(10, 400), ("Cache._Cache__data", "dict value")),
        ({"a": Cache(70, 4), "b": Cache(3, 400)}, ("dict value", "Cache._Cache__data", "dict value")),
        ({n: Cache(70, 4) for n in range(1000)}, ("dict value",)),
        (types.SimpleNamespace(capacity=900, SESSIONS=types.SimpleNamespace(all={})), ("SimpleNamespace.SESSIONS",)),
    ],
)
def test_a_place_without_a_limit_or_beyond_it_is_not_bounded(
    value: object, steps: tuple[str, ...], modules: dict[str, types.ModuleType]
) -> None:
    modules["shop.stock"].PLACE = value  # type: ignore[attr-defined]  # a module of this test

    assert cache_limit(path("shop.stock.PLACE", *steps), modules) is None


@pytest.mark.parametrize(
    "steps", [(), ("thread main › run() › rows", "list item"), ("shop.gone.X",), ("shop.stock.nothing.at.all",), ("",)]
)
def test_a_path_that_cannot_be_followed_has_no_bound(
    steps: tuple[str, ...], modules: dict[str, types.ModuleType]
) -> None:
    assert cache_limit(path(*steps), modules) is None
