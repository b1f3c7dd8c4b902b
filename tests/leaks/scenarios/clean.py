"""Tests that leave warm caches behind and leak nothing: the plugin for pytest repeats them, and they pass."""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import logging
import re
import sqlite3
import ssl
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.no_leaks

NUMBERS = iter(range(1_000_000))
POOL = ThreadPoolExecutor(4)
LOOP = asyncio.new_event_loop()


@functools.lru_cache
def squared(number: int) -> list[int]:
    return [number * number]


def test_warm_caches() -> None:
    squared(next(NUMBERS))


def test_lazy_imports() -> None:
    importlib.import_module(("colorsys", "wave", "tabnanny", "pyclbr", "quopri")[next(NUMBERS) % 5])


def test_pools() -> None:
    assert list(POOL.map(abs, range(8))) == list(range(8))


def test_regular_expressions() -> None:
    assert re.match(f"a{{{next(NUMBERS) % 600}}}b?", "a" * 600)


def test_logging() -> None:
    logging.getLogger("shop").warning("order %s", object())


def test_warnings_and_output() -> None:
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    print("order", next(NUMBERS))
    print("order", next(NUMBERS), file=sys.stderr)


def test_sqlite() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("select 1").fetchall()
    connection.close()


def test_ssl() -> None:
    ssl.create_default_context()


def test_json() -> None:
    json.loads(json.dumps({"order": next(NUMBERS), "lines": [1.5] * 10}))


def test_asyncio() -> None:
    LOOP.run_until_complete(asyncio.sleep(0))
    asyncio.run(asyncio.sleep(0))


def test_pydantic_model() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Order", number=(int, ...))
    model(number=next(NUMBERS))


def test_jinja2_template() -> None:
    jinja2 = pytest.importorskip("jinja2")
    jinja2.Template("order {{ number }}").render(number=next(NUMBERS))


def test_requests_session() -> None:
    requests = pytest.importorskip("requests")
    with requests.Session() as session:
        session.prepare_request(requests.Request("GET", "http://shop/orders"))


def test_all_at_once() -> None:
    for name, test in list(globals().items()):
        if name.startswith("test_") and name != "test_all_at_once":
            test()
