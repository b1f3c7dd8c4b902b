"""Programs that leak from their start on, or from ``LATE_SECONDS`` on where their name says so."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import io
import logging
import mmap
import queue
import sqlite3
import ssl
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from random import Random
from xml.dom import minidom

from training.programs.work import compress, record, serve, text, wave

LATE_SECONDS = 150.0


def list_of_records(rng: Random) -> Iterator[float]:
    audit: list[object] = []
    while True:
        audit.extend(record(rng) for _ in range(rng.randrange(5, 60)))
        serve(rng)
        yield rng.expovariate(2)


def dict_of_sessions(rng: Random) -> Iterator[float]:
    sessions: dict[str, object] = {}
    while True:
        for _ in range(rng.randrange(60)):
            sessions[f"{text(rng, 2)}-{len(sessions)}"] = record(rng)
        serve(rng, 2)
        yield rng.uniform(0.2, 0.8)


def closures(rng: Random) -> Iterator[float]:
    callbacks: list[Callable[[], int]] = []

    def callback(body: str, rows: list[float]) -> Callable[[], int]:
        return lambda: len(body) + len(rows)

    while True:
        callbacks.extend(callback(text(rng, 20), [rng.random() for _ in range(30)]) for _ in range(25))
        serve(rng)
        yield rng.uniform(0.2, 0.7)


def listeners(rng: Random) -> Iterator[float]:
    class Bus:
        def __init__(self) -> None:
            self.listeners: list[Callable[[str], None]] = []

    class View:
        def __init__(self) -> None:
            self.rows = [record(rng) for _ in range(8)]

        def refresh(self, event: str) -> None:
            self.rows.append({"event": event})

    bus = Bus()
    while True:
        for _ in range(6):
            bus.listeners.append(View().refresh)
        serve(rng, 2)
        yield rng.uniform(0.3, 0.9)


def tasks(rng: Random) -> Iterator[float]:
    loop = asyncio.new_event_loop()
    waiting: set[asyncio.Task[None]] = set()

    async def request(body: str) -> None:
        await asyncio.Event().wait()
        print(body)

    async def step() -> None:
        waiting.update(asyncio.create_task(request(text(rng, 60))) for _ in range(rng.randrange(20, 60)))
        await asyncio.sleep(0)

    while True:
        loop.run_until_complete(step())
        serve(rng)
        yield rng.uniform(0.3, 0.9)


def native_blocks(rng: Random) -> Iterator[float]:
    malloc = ctypes.CDLL(None).malloc
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    while True:
        for _ in range(rng.randrange(1, 12)):
            size = int(rng.lognormvariate(8.5, 1))
            ctypes.memset(malloc(size), 1, size)
        serve(rng, 2)
        yield rng.expovariate(3)


def numpy_arrays(rng: Random) -> Iterator[float]:
    import numpy as np

    frames: list[object] = []
    while True:
        frames.append(np.random.default_rng(rng.randrange(1 << 30)).random(rng.randrange(2_000, 40_000)))
        serve(rng)
        yield rng.uniform(0.5, 3)


def sqlite_connections(rng: Random) -> Iterator[float]:
    connections: list[sqlite3.Connection] = []
    while True:
        connection = sqlite3.connect(":memory:")
        connection.execute("create table rows (id integer, body text)")
        connection.executemany(
            "insert into rows values (?, ?)", [(n, text(rng)) for n in range(rng.randrange(20, 400))]
        )
        connections.append(connection)
        yield rng.uniform(0.3, 1.2)


def cycles_without_gc(rng: Random) -> Iterator[float]:
    gc.disable()
    while True:
        for _ in range(rng.randrange(40, 120)):
            node: dict[str, object] = {"payload": [rng.random() for _ in range(20)]}
            node["self"] = node
        serve(rng)
        yield rng.uniform(0.2, 0.8)


def waiting_threads(rng: Random) -> Iterator[float]:
    stop = threading.Event()

    def work(rows: list[object]) -> None:
        sum(len(str(row)) for row in rows)
        stop.wait()

    while True:
        threading.Thread(target=work, args=([record(rng) for _ in range(60)],), daemon=True).start()
        serve(rng)
        yield rng.uniform(1, 4)


def cache_without_limit(rng: Random) -> Iterator[float]:
    @cache
    def page(number: int) -> str:
        return text(rng, 40 + number % 50)

    number = 0
    while True:
        for _ in range(rng.randrange(20, 60)):
            page(number := number + 1)
            page(rng.randrange(number))
        yield rng.uniform(0.2, 0.8)


def cached_methods(rng: Random) -> Iterator[float]:
    class Report:
        def __init__(self) -> None:
            self.rows = [record(rng) for _ in range(20)]

        @cache  # noqa: B019  # the leak
        def total(self) -> int:
            return len(self.rows)

    while True:
        for _ in range(3):
            Report().total()
        serve(rng)
        yield rng.uniform(0.2, 1)


def log_handlers(rng: Random) -> Iterator[float]:
    logger = logging.getLogger("requests")
    logger.propagate = False
    while True:
        for _ in range(12):
            handler = logging.StreamHandler(io.StringIO())
            handler.setFormatter(logging.Formatter(f"%(message)s {text(rng, 5)}"))
            logger.addHandler(handler)
        if rng.random() < 0.05:
            logger.warning("%s", text(rng, 20))
        yield rng.uniform(0.3, 1)


def suspended_generators(rng: Random) -> Iterator[float]:
    streams: list[Iterator[str]] = []

    def stream(rows: list[str]) -> Iterator[str]:
        yield from rows

    while True:
        for _ in range(15):
            one = stream([text(rng) for _ in range(12)])
            next(one)
            streams.append(one)
        yield rng.uniform(0.2, 0.8)


def kept_errors(rng: Random) -> Iterator[float]:
    errors: list[Exception] = []

    def fail(depth: int, body: str) -> None:
        if not depth:
            raise ValueError(body)
        fail(depth - 1, text(rng, 30))

    while True:
        for _ in range(8):
            try:
                fail(rng.randrange(3, 12), text(rng, 100))
            except ValueError as error:
                errors.append(error)
        serve(rng)
        yield rng.uniform(0.3, 0.9)


def queue_without_consumer(rng: Random) -> Iterator[float]:
    jobs: queue.SimpleQueue[object] = queue.SimpleQueue()
    while True:
        for _ in range(int(70 * wave(90))):
            jobs.put(record(rng))
        serve(rng)
        yield rng.uniform(0.3, 0.9)


def compressors(rng: Random) -> Iterator[float]:
    streams: list[object] = []
    while True:
        stream = zlib.compressobj(rng.randrange(1, 9), memLevel=rng.randrange(1, 6))
        stream.compress(text(rng, 3000).encode())
        streams.append(stream)
        compress(rng)
        yield rng.uniform(0.5, 3)


def tls_contexts(rng: Random) -> Iterator[float]:
    contexts: list[ssl.SSLContext] = []
    while True:
        contexts.extend(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(rng.randrange(1, 5)))
        serve(rng)
        yield rng.uniform(0.5, 2)


def mappings(rng: Random) -> Iterator[float]:
    maps: list[mmap.mmap] = []
    while True:
        area = mmap.mmap(-1, rng.randrange(10, 120) * 4096)
        area.write(b"x" * (len(area) * rng.randrange(50, 100) // 100))
        maps.append(area)
        serve(rng)
        yield rng.uniform(0.5, 2)


def documents(rng: Random) -> Iterator[float]:
    kept: list[minidom.Document] = []
    while True:
        body = "".join(f"<row id='{n}'>{text(rng, 3)}</row>" for n in range(rng.randrange(5, 60)))
        kept.append(minidom.parseString(f"<rows>{body}</rows>"))  # noqa: S318  # our own text
        yield rng.uniform(0.3, 1.2)


def classes(rng: Random) -> Iterator[float]:
    made: list[type] = []
    while True:
        for _ in range(rng.randrange(1, 8)):
            made.append(
                type(f"Model{len(made)}", (), {name: property(partial(getattr, name)) for name in ("a", "b", "c")})
            )
        serve(rng, 2)
        yield rng.uniform(0.3, 0.9)


def finalizers(rng: Random) -> Iterator[float]:
    class Connection:
        pass

    pool: list[Connection] = []
    while True:
        for _ in range(20):
            pool.append(Connection())
            weakref.finalize(pool[-1], len, text(rng, 30))
        yield rng.uniform(0.2, 0.8)


def growing_text(rng: Random) -> Iterator[float]:
    output = io.StringIO()
    while True:
        output.write(text(rng, rng.randrange(100, 3000)))
        serve(rng)
        yield rng.uniform(0.3, 1)


def late_list(rng: Random) -> Iterator[float]:
    started = time.monotonic()
    audit: list[object] = []
    while True:
        if time.monotonic() - started > LATE_SECONDS:
            audit.extend(record(rng) for _ in range(rng.randrange(10, 60)))
        serve(rng, 2)
        yield rng.uniform(0.2, 0.8)


def late_native(rng: Random) -> Iterator[float]:
    started, leak = time.monotonic(), native_blocks(rng)
    while True:
        if time.monotonic() - started > LATE_SECONDS:
            yield next(leak)
        else:
            serve(rng, 3)
            yield rng.uniform(0.1, 0.6)


def bursts(rng: Random) -> Iterator[float]:
    held: list[object] = []
    while True:
        for _ in range(rng.randrange(5, 40)):
            held.extend(record(rng) for _ in range(rng.randrange(20, 80)))
            serve(rng)
            yield rng.uniform(0.1, 0.3)
        yield rng.expovariate(1 / 15)


def stairs(rng: Random) -> Iterator[float]:
    reports: list[object] = []
    while True:
        reports.extend(record(rng) for _ in range(rng.randrange(500, 3000)))
        until = time.monotonic() + rng.uniform(15, 40)
        while time.monotonic() < until:
            serve(rng)
            yield rng.uniform(0.3, 0.9)


def under_sawtooth(rng: Random) -> Iterator[float]:
    gc.set_threshold(700, 10, 1000)
    held: list[object] = []
    while True:
        for _ in range(150):
            node: dict[str, object] = {"payload": [rng.random() for _ in range(20)]}
            node["self"] = node
        if rng.random() < 0.02:
            gc.collect()
        held.extend(record(rng) for _ in range(rng.randrange(12)))
        yield rng.uniform(0.2, 0.8)


def after_warm_up(rng: Random) -> Iterator[float]:
    cache = [record(rng) for _ in range(8_000)]
    held: list[object] = []
    while True:
        if len(cache) < 25_000:
            cache.extend(record(rng) for _ in range(300))
        held.extend(record(rng) for _ in range(rng.randrange(20)))
        serve(rng)
        yield rng.uniform(0.2, 0.6)


def by_waves(rng: Random) -> Iterator[float]:
    sessions: list[bytearray] = []
    held: list[object] = []
    while True:
        load = wave(120)
        while len(sessions) < 100 * load:
            sessions.append(bytearray(rng.randrange(20_000, 120_000)))
        del sessions[int(100 * load) :]
        held.extend(record(rng) for _ in range(int(30 * load)))
        yield rng.uniform(0.2, 0.8)


def slow_list(rng: Random) -> Iterator[float]:
    audit: list[object] = []
    while True:
        audit.extend(record(rng) for _ in range(rng.randrange(4)))
        serve(rng, 2)
        yield rng.uniform(0.2, 0.8)
