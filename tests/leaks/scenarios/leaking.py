"""Tests that leak, one for each way to leak: heap-exporter's plugin for pytest repeats them, and they fail."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import functools
import gc
import threading
import zlib
from collections.abc import Callable, Iterator

import pytest

pytestmark = pytest.mark.no_leaks


class Session:
    def __init__(self) -> None:
        self.data = [1.5]


class Report:
    @functools.lru_cache(maxsize=None)  # noqa: B019, UP033 - the leak
    def total(self) -> int:
        return 1


class Bus:
    def __init__(self) -> None:
        self.listeners: list[Callable[[], None]] = []


class Widget:
    def listen(self) -> None:
        BUS.listeners.append(self.on_event)

    def on_event(self) -> None:
        pass


class Node:
    other: Node


def make_job() -> Callable[[], None]:
    seen: list[Session] = []

    def job() -> None:
        seen.append(Session())

    return job


def rows() -> Iterator[Session]:
    row = Session()
    yield row


async def wait_for_ever() -> None:
    session = Session()
    await asyncio.Event().wait()
    del session


async def start_a_task() -> None:
    context = contextvars.Context()  # a copy of this one would hold the value of SPANS, too
    TASKS.append(asyncio.get_running_loop().create_task(wait_for_ever(), context=context))
    await asyncio.sleep(0)


AUDIT: list[Session] = []
SESSIONS: dict[object, Session] = {}
BUS = Bus()
LOCAL = threading.local()
LOCAL.seen = []
SPANS: contextvars.ContextVar[list[Session]] = contextvars.ContextVar("SPANS")
SPANS.set([])
OPEN: list[Iterator[Session]] = []
TASKS: list[asyncio.Task[None]] = []
UPLOADS: list[object] = []
LOOP = asyncio.new_event_loop()
run_job = make_job()


def test_list() -> None:
    AUDIT.append(Session())


def test_dict() -> None:
    SESSIONS[object()] = Session()


def test_lru_cache_on_a_method() -> None:
    Report().total()


def test_closure() -> None:
    run_job()


def test_listener() -> None:
    Widget().listen()


def test_task() -> None:
    LOOP.run_until_complete(start_a_task())


def test_thread_local() -> None:
    LOCAL.seen.append(Session())


def test_context_variable() -> None:
    SPANS.get().append(Session())


def test_generator() -> None:
    generator = rows()
    next(generator)
    OPEN.append(generator)


def test_native_handle() -> None:
    UPLOADS.append(zlib.compressobj())


def test_lost_reference_in_c() -> None:
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(Session()))


def test_cycle_while_the_collector_is_off() -> None:
    gc.disable()
    one, other = Node(), Node()
    one.other, other.other = other, one


def test_every_way_at_once() -> None:
    for name, test in list(globals().items()):
        if name.startswith("test_") and name != "test_every_way_at_once":
            test()
