"""Loads that allocate in different ways, for :mod:`tests.bench.allocations`; some are programs of pyperformance."""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Load = Callable[[], object]

ORDER = {
    "orders": [
        {
            "id": number,
            "customer": f"customer {number}",
            "items": [{"sku": f"sku-{item}", "n": item} for item in range(5)],
        }
        for number in range(100)
    ]
}
TEXT = json.dumps(ORDER)


def json_and_dicts() -> None:
    """Parse and write orders, and copy their dicts."""
    for _ in range(120):
        orders = json.loads(TEXT)["orders"]
        json.dumps({"orders": [{**order, "total": len(order["items"])} for order in orders]})


def asyncio_http() -> None:
    """Answer small HTTP requests over a connection of streams."""
    asyncio.run(_exchange(2000))


async def _exchange(requests: int) -> None:
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                body = json.dumps({"status": "ok"}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()
        ended.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for _ in range(requests):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.split(b"Content-Length: ")[1]))
    writer.close()
    await ended.wait()
    server.close()
    await server.wait_closed()


def numpy_arrays() -> None:
    """Compute with arrays of 100,000 numbers."""
    import numpy as np

    for _ in range(80):
        numbers = np.arange(100_000, dtype=float)
        (numbers * 2 + np.sqrt(numbers)).sum()


def only_allocations() -> None:
    """Make and free small objects, nothing else."""
    for number in range(500_000):
        kept: object = [number]
        kept = {"number": number}
    del kept


def loads() -> dict[str, Load]:
    """Return the loads that can run here by name, each of about a tenth of a second."""
    found: dict[str, Load] = {"json and dicts": json_and_dicts, "asyncio HTTP": asyncio_http}
    if find_spec("numpy"):
        found["numpy"] = numpy_arrays
    if find_spec("pyperformance"):
        point, machine, planner, game = map(_program, ("float", "richards", "deltablue", "go"))
        found |= {
            "float": lambda: point["benchmark"](20_000),
            "richards": lambda: machine["Richards"]().run(2),
            "deltablue": lambda: planner["delta_blue"](20),
            "go": game["versus_cpu"],
        }
    return {**found, "only allocations": only_allocations}


def _program(name: str) -> dict[str, Any]:
    """Return the names of a benchmark of pyperformance."""
    spec = find_spec("pyperformance")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "data-files" / "benchmarks" / f"bm_{name}"
    return runpy.run_path(str(folder / "run_benchmark.py"))
