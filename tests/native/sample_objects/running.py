"""Code and running code: functions, generators, exceptions, frames, futures."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import itertools
import operator
import queue
import re
import sys
import threading
import types
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from tests.native.sample_objects.instances import with_attributes

LOOP = asyncio.new_event_loop()
VARIABLE: contextvars.ContextVar[Any] = contextvars.ContextVar("VARIABLE")


class Failure(Exception):
    """An exception with attributes of its own."""


def _closure(number: int) -> Any:
    cell, other = [number], f"cell {number}"

    def inner() -> Any:
        return cell, other

    return inner


def _empty_cell(number: int) -> Callable[[], Any]:
    def inner() -> Any:
        return later

    if number < 0:
        later = number
    return inner


def _with_defaults(number: int) -> Callable[..., Any]:
    def function(a: Any = [number], *, b: Any = f"default {number}") -> Any:  # noqa: B006  # a default of its own
        return a, b

    function.note = {"n": number}  # type: ignore[attr-defined]
    return function


def _generator(number: int) -> Iterator[int]:
    held = [number]
    yield from held
    yield number + 1


def _begun(number: int) -> Iterator[int]:
    made = _generator(number)
    next(made)
    return made


def _finished(number: int) -> Iterator[int]:
    made = _generator(number)
    list(made)
    return made


async def _coroutine(number: int) -> int:
    held = [number]
    await _Pause()
    return len(held)


class _Pause:
    def __await__(self) -> Generator[None]:
        yield


def _begun_coroutine(number: int) -> Any:
    made = _coroutine(number)
    made.send(None)
    return made


async def _async_generator(number: int) -> AsyncIterator[int]:
    held = [number]
    yield held[0]


def _fail(number: int) -> None:
    local: dict[Any, Any] = {"number": [number]}
    try:
        local[f"key {number}", number]
    except KeyError as error:
        raise with_attributes(Failure(f"failed {number}"), number) from error


def _exception(number: int) -> BaseException:
    try:
        _fail(number)
    except Failure as failure:
        failure.add_note(f"note {number}")
        return failure
    raise AssertionError


def _traceback(number: int) -> Any:
    return _exception(number).__traceback__


def _frame(number: int) -> types.FrameType:
    local, other = [number], f"local {number}"
    assert local
    assert other
    return sys._getframe()


def _cached(number: int) -> Any:
    @functools.lru_cache(maxsize=8)
    def slow(key: Any) -> list[Any]:
        return [key]

    slow(number)
    slow((number, "two"))
    return slow


def _unlimited(number: int) -> Any:
    @functools.cache
    def slow(key: Any) -> list[Any]:
        return [key]

    slow(number)
    return slow


def _context(number: int) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(VARIABLE.set, [number])
    return context


def _queue(number: int) -> queue.Queue[Any]:
    made: queue.Queue[Any] = queue.Queue()
    made.put([number])
    return made


def _simple_queue(number: int) -> queue.SimpleQueue[Any]:
    made: queue.SimpleQueue[Any] = queue.SimpleQueue()
    made.put([number])
    return made


def _local(number: int) -> threading.local:
    made = threading.local()
    made.content = [number]
    return made


RUNNING: dict[str, Callable[[int], Any]] = {
    "function": _with_defaults,
    "lambda": lambda n: lambda: n,
    "closure": _closure,
    "empty cell": _empty_cell,
    "builtin method": lambda n: [n].append,
    "method wrapper": lambda n: [n].__len__,
    "code": lambda n: compile(f"x = {n} + y\ndef f(a): return a, 'constant {n}'", f"file{n}", "exec"),
    "partial": lambda n: functools.partial(max, [n], key=len),
    "partial method": lambda n: functools.partialmethod(max, [n]),
    "cached function": _cached,
    "unlimited cached function": _unlimited,
    "property": lambda n: property(_closure(n), doc=f"doc {n}"),
    "cached property": lambda n: functools.cached_property(_closure(n)),
    "static method": lambda n: staticmethod(_closure(n)),
    "class method": lambda n: classmethod(_closure(n)),
    "item getter": lambda n: operator.itemgetter(n, f"i{n}"),
    "attribute getter": lambda n: operator.attrgetter(f"a{n}.b"),
    "method caller": lambda n: operator.methodcaller(f"m{n}", [n]),
    "generator not begun": _generator,
    "generator begun": _begun,
    "generator finished": _finished,
    "coroutine begun": _begun_coroutine,
    "async generator": _async_generator,
    "iterator of a list": lambda n: iter([n, [n]]),
    "iterator of a dict": lambda n: iter({f"d{n}": 1}.items()),
    "map": lambda n: map(str, [n, [n]]),
    "zip": lambda n: zip([n], [f"z{n}"], strict=True),
    "enumerate": lambda n: enumerate([n]),
    "reversed": lambda n: reversed([n]),
    "chain": lambda n: itertools.chain([n], (n, [n])),
    "tee": lambda n: itertools.tee([n, [n]]),
    "islice": lambda n: itertools.islice([n, 2], 1),
    "product": lambda n: itertools.product([n], [f"p{n}", 2]),
    "exception": _exception,
    "traceback": _traceback,
    "frame": _frame,
    "os error": lambda n: with_attributes(OSError(2, f"missing {n}", f"path {n}"), n),
    "exception group": lambda n: ExceptionGroup("many", [ValueError(n), TypeError([n])]),
    "pattern": lambda n: re.compile(rf"(?P<name{n % 97}>\d+)x{n % 97}"),
    "match": lambda n: re.match(r"(\d+)", str(n)),
    "lock": lambda n: threading.Lock(),
    "condition": lambda n: threading.Condition(),
    "queue": _queue,
    "simple queue": _simple_queue,
    "local": _local,
    "context": _context,
    "context variable": lambda n: contextvars.ContextVar(f"v{n}", default=(n, [n])),
    "future": lambda n: asyncio.Future(loop=LOOP),
}
