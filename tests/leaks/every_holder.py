"""Refers to objects in every way that Python has."""

from __future__ import annotations

import asyncio
import collections
import contextvars
import functools
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple


class Thing:
    def __init__(self) -> None:
        self.data = bytes(10)

    def method(self, *_: object) -> None:
        pass


class Handler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen = [Thing()]


class Pair(NamedTuple):
    left: Thing
    right: int


class Service:
    REGISTRY: ClassVar = {"a": Thing()}

    @functools.lru_cache(maxsize=9)  # noqa: B019 - the subject of the test
    def price(self) -> Thing:
        return Thing()


def rows() -> Iterator[int]:
    current = Thing()
    for number in range(9):
        yield number + len(current.data)


def counter() -> Callable[[], int]:
    cache = [Thing()]
    return lambda: len(cache)


def failed() -> ValueError:
    row = Thing()
    try:
        int(str(type(row)))
    except ValueError as error:
        return error
    raise AssertionError


DEQUE = collections.deque([Thing()])
ORDERED = collections.OrderedDict(a=Thing())
DEFAULTS = collections.defaultdict(list, a=[Thing()])
SET = {Thing()}
PAIRS = [Pair(Thing(), 1)]
BOUND = [Thing().method]
PARTIAL = functools.partial(print, Thing())
WEAK = weakref.ref(SET, Thing().method)
LOGGER = logging.getLogger("tests.leaks")
LOGGER.addHandler(Handler())
GENERATOR = rows()
next(GENERATOR)
CLOSURE = counter()
ERROR = failed()
SERVICE = Service()
SERVICE.price()
WITH_A_DICT: Any = Service()
WITH_A_DICT.__dict__["thing"] = Thing()
LOCAL = threading.local()
LOCAL.things = [Thing()]
VARIABLE = contextvars.ContextVar[Thing]("VARIABLE")
VARIABLE.set(Thing())
CONTEXT = contextvars.copy_context()
TASKS: list[asyncio.Task[None]] = []


async def wait(thing: Thing) -> None:
    await asyncio.sleep(3600 + len(thing.data))


def work(ready: threading.Event, done: threading.Event) -> None:
    mine = [Thing()]
    ready.set()
    done.wait()
    mine.clear()


async def main(snapshot: Callable[[], None]) -> None:
    mine = Thing()
    ready, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=work, args=(ready, done), name="worker-7")
    thread.start()
    ready.wait()
    TASKS.append(asyncio.create_task(wait(Thing())))
    asyncio.get_running_loop().call_later(3600, print, Thing())
    await asyncio.sleep(0)
    snapshot()
    done.set()
    thread.join()
    mine.method()
