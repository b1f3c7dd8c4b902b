"""Programs that do not leak, though the memory of many of them grows for a while."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import io
import mmap
import sqlite3
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from collections import OrderedDict, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from random import Random

from training.programs.work import compress, record, serve, text, wave


def idle(rng: Random) -> Iterator[float]:
    while True:
        yield rng.uniform(1, 3)


def serving(rng: Random) -> Iterator[float]:
    while True:
        serve(rng, rng.randrange(1, 6))
        yield rng.expovariate(2)


def compressing(rng: Random) -> Iterator[float]:
    while True:
        compress(rng)
        serve(rng)
        yield rng.uniform(0.2, 1)


def parsing(rng: Random) -> Iterator[float]:
    while True:
        body = "".join(f"<row id='{n}'>{text(rng, 3)}</row>" for n in range(int(rng.lognormvariate(4, 1.2))))
        ET.fromstring(f"<rows>{body}</rows>")  # noqa: S314  # our own text
        yield rng.uniform(0.3, 1.2)


def queue_workers(rng: Random) -> Iterator[float]:
    loop = asyncio.new_event_loop()

    async def job(body: dict[str, object]) -> int:
        await asyncio.sleep(rng.expovariate(20))
        return len(body)

    async def step() -> None:
        await asyncio.gather(*(job(record(rng)) for _ in range(int(rng.lognormvariate(2.5, 1)))))

    while True:
        loop.run_until_complete(step())
        yield rng.uniform(0.1, 0.6)


def thread_pool(rng: Random) -> Iterator[float]:
    pool = ThreadPoolExecutor(24)
    while True:
        for _ in range(rng.randrange(1, 12)):
            pool.submit(serve, Random(rng.random()), 2)
        yield rng.uniform(0.3, 1.2)


def threads_on_demand(rng: Random) -> Iterator[float]:
    """Threads of a server that come and go, each with an arena of malloc."""

    def work(seed: float) -> None:
        kept = [bytes(Random(seed).randrange(500, 20_000)) for _ in range(60)]
        time.sleep(Random(seed).expovariate(0.5))
        kept.clear()

    while True:
        for _ in range(int(rng.lognormvariate(0.5, 0.8))):
            threading.Thread(target=work, args=(rng.random(),), daemon=True).start()
        yield rng.uniform(0.3, 1.5)


def queries(rng: Random) -> Iterator[float]:
    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        database = sqlite3.connect(file.name)
        database.execute("create table rows (id integer primary key, body text)")
        while True:
            database.executemany("insert into rows (body) values (?)", [(text(rng, 20),) for _ in range(60)])
            database.commit()
            database.execute("select count(*) from rows where body like ?", (f"%{text(rng, 1)}%",)).fetchall()
            if rng.random() < 0.03:
                database.execute("delete from rows")
            yield rng.uniform(0.3, 1)


def rows_in_memory(rng: Random) -> Iterator[float]:
    database = sqlite3.connect(":memory:")
    database.execute("create table rows (id integer primary key, body text)")
    while True:
        database.executemany("insert into rows (body) values (?)", [(text(rng, 20),) for _ in range(80)])
        database.execute("delete from rows where id < (select max(id) from rows) - 6000")
        yield rng.uniform(0.2, 0.8)


def numpy_batches(rng: Random) -> Iterator[float]:
    import numpy as np

    while True:
        frames = []
        for _ in range(rng.randrange(5, 30)):
            frames.append(np.random.default_rng(rng.randrange(1 << 30)).random(rng.randrange(10_000, 200_000)))
            yield rng.uniform(0.2, 1)
        del frames
        yield rng.expovariate(1 / 12)


def tables(rng: Random) -> Iterator[float]:
    import pyarrow as pa
    import pyarrow.compute as pc

    while True:
        rows = int(rng.lognormvariate(8.5, 1))
        table = pa.table({"key": [rng.randrange(50) for _ in range(rows // 10)] * 10, "value": range(rows // 10 * 10)})
        pc.sum(table.group_by("key").aggregate([("value", "sum")])["value_sum"])
        yield rng.uniform(0.5, 2.5)


def _filling(rng: Random, maxsize: int, a_step: int) -> Iterator[float]:
    @lru_cache(maxsize=maxsize)
    def page(number: int) -> str:
        return text(rng, 40 + number % 50)

    number = 0
    while True:
        for _ in range(rng.randrange(2 * a_step)):
            page(number := number + 1)
        serve(rng)
        yield rng.uniform(0.2, 0.8)


def lru_filling_quickly(rng: Random) -> Iterator[float]:
    yield from _filling(rng, 3_000, 25)


def lru_filling_slowly(rng: Random) -> Iterator[float]:
    yield from _filling(rng, 15_000, 12)


def lru_by_bytes(rng: Random) -> Iterator[float]:
    cache: OrderedDict[int, bytes] = OrderedDict()
    held = 0
    while True:
        for _ in range(rng.randrange(8)):
            body = bytes(int(rng.lognormvariate(8.5, 1.4)))
            cache[len(cache) + int(time.monotonic() * 1000)] = body
            held += len(body)
        while held > 8e6:
            held -= len(cache.popitem(last=False)[1])
        yield rng.uniform(0.2, 0.9)


def popular_keys(rng: Random) -> Iterator[float]:
    cache: dict[int, object] = {}
    while True:
        for _ in range(50):
            key = int(rng.paretovariate(0.4)) % 30_000
            if key not in cache:
                cache[key] = record(rng)
        serve(rng)
        yield rng.uniform(0.2, 0.8)


def expiring(rng: Random) -> Iterator[float]:
    sessions: deque[tuple[float, object]] = deque()
    while True:
        now = time.monotonic()
        for _ in range(rng.randrange(50)):
            sessions.append((now + 90, record(rng)))
        while sessions and sessions[0][0] < now:
            sessions.popleft()
        serve(rng)
        yield rng.uniform(0.2, 0.8)


def expiring_under_waves(rng: Random) -> Iterator[float]:
    sessions: deque[tuple[float, object]] = deque()
    while True:
        now = time.monotonic()
        for _ in range(int(80 * wave(200))):
            sessions.append((now + 40, record(rng)))
        while sessions and sessions[0][0] < now:
            sessions.popleft()
        yield rng.uniform(0.2, 0.8)


def connection_pool(rng: Random) -> Iterator[float]:
    pool: list[sqlite3.Connection] = []
    while True:
        busy = int(rng.lognormvariate(1.5, 0.7))
        while len(pool) < min(busy, 40):
            connection = sqlite3.connect(":memory:")
            connection.execute("create table rows (body text)")
            connection.executemany("insert into rows values (?)", [(text(rng, 20),) for _ in range(1000)])
            pool.append(connection)
        for connection in pool[:busy]:
            connection.execute("select count(*) from rows").fetchone()
        yield rng.uniform(0.5, 2)


def _cycles(rng: Random, count: int) -> None:
    for _ in range(count):
        node: dict[str, object] = {"payload": [rng.random() for _ in range(20)]}
        node["self"] = node


def collected_rarely(rng: Random) -> Iterator[float]:
    gc.set_threshold(60_000, 5, 5)
    while True:
        _cycles(rng, rng.randrange(100, 700))
        yield rng.uniform(0.2, 0.8)


def collected_by_hand(rng: Random) -> Iterator[float]:
    gc.disable()
    while True:
        for _ in range(rng.randrange(60, 160)):
            _cycles(rng, rng.randrange(40, 250))
            yield rng.uniform(0.2, 0.8)
        gc.collect()


def collected_as_usual(rng: Random) -> Iterator[float]:
    held = [record(rng) for _ in range(15_000)]
    while held:
        _cycles(rng, rng.randrange(50, 400))
        serve(rng)
        yield rng.uniform(0.2, 0.8)


def jobs(rng: Random) -> Iterator[float]:
    while True:
        until = time.monotonic() + rng.uniform(20, 60)
        while time.monotonic() < until:
            serve(rng)
            yield rng.uniform(0.3, 1)
        rows: list[object] = []
        for _ in range(rng.randrange(15, 70)):
            rows.extend(record(rng) for _ in range(rng.randrange(100, 400)))
            yield rng.uniform(0.2, 0.7)


def waves(rng: Random) -> Iterator[float]:
    connections: list[bytearray] = []
    while True:
        wanted = int(30 + 150 * wave(240))
        while len(connections) < wanted:
            connections.append(bytearray(rng.randrange(20_000, 300_000)))
        while len(connections) > wanted:
            connections.pop(rng.randrange(len(connections)))
        serve(rng)
        yield rng.uniform(0.3, 1)


def lazy_imports(rng: Random) -> Iterator[float]:
    modules = [
        "asyncio", "ctypes", "curses.ascii", "decimal", "difflib", "doctest", "email.mime.text", "fractions",
        "ftplib", "http.server", "imaplib", "inspect", "ipaddress", "logging.handlers", "mailbox",
        "multiprocessing.pool", "optparse", "pdb", "pickletools", "plistlib", "poplib", "pydoc", "smtplib", "sqlite3",
        "statistics", "tarfile", "turtledemo", "unittest.mock", "urllib.request", "uuid", "venv", "wsgiref.validate",
        "xml.dom.minidom", "xml.sax", "xmlrpc.client", "zipfile", "zoneinfo",
    ]  # fmt: skip  # a list
    while True:
        if modules and rng.random() < 0.15:
            importlib.import_module(modules.pop(rng.randrange(len(modules))))
        serve(rng, 2)
        yield rng.uniform(0.2, 0.8)


def fragmented_malloc(rng: Random) -> Iterator[float]:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    blocks: list[int] = []
    while True:
        for _ in range(rng.randrange(10, 80)):
            size = int(rng.lognormvariate(8, 1.3))
            block = libc.malloc(size)
            ctypes.memset(block, 1, size)
            blocks.append(block)
        while len(blocks) > 1200:
            libc.free(blocks.pop(rng.randrange(len(blocks))))
        yield rng.uniform(0.2, 0.8)


def fragmented_pymalloc(rng: Random) -> Iterator[float]:
    held: list[object] = []
    while True:
        held.extend(record(rng) for _ in range(int(300 * wave(70))))
        for _ in range(len(held) // 6):
            held[rng.randrange(len(held))] = None
        held = [row for row in held if row is not None]
        yield rng.uniform(0.3, 0.9)


def reloads(rng: Random) -> Iterator[float]:
    model: list[object] = []
    while model is not None:
        fresh: list[object] = []
        for _ in range(12):
            fresh.extend(record(rng) for _ in range(rng.randrange(600, 800)))
            yield 0.3
        model = fresh
        until = time.monotonic() + rng.uniform(20, 90)
        while time.monotonic() < until:
            serve(rng, 2)
            yield rng.uniform(0.3, 1)


def steps(rng: Random) -> Iterator[float]:
    tables: list[object] = []
    while True:
        if rng.random() < 0.012 and len(tables) < 6:
            tables.append([record(rng) for _ in range(rng.randrange(1_000, 6_000))])
        serve(rng, 2)
        yield rng.uniform(0.3, 1)


def spikes(rng: Random) -> Iterator[float]:
    while True:
        if rng.random() < 0.02:
            report = [record(rng) for _ in range(rng.randrange(4_000, 16_000))]
            yield rng.uniform(0.5, 12)
            del report
        serve(rng)
        yield rng.uniform(0.3, 1)


def backlog(rng: Random) -> Iterator[float]:
    waiting: deque[object] = deque()
    while True:
        slow = time.monotonic() % 200 < 110
        waiting.extend(record(rng) for _ in range(rng.randrange(60)))
        for _ in range(min(len(waiting), rng.randrange(20 if slow else 150))):
            waiting.popleft()
        yield rng.uniform(0.2, 0.8)


def busier(rng: Random) -> Iterator[float]:
    started = time.monotonic()
    users: list[object] = []
    while True:
        wanted = int(6_000 * min((time.monotonic() - started) / 240, 1) * rng.uniform(0.97, 1.03)) + 300
        while len(users) < wanted:
            users.append(record(rng))
        del users[wanted:]
        serve(rng)
        yield rng.uniform(0.3, 0.9)


def names(rng: Random) -> Iterator[float]:
    """Counters with labels: new ones ever more rarely."""
    counters: dict[str, list[float]] = {}
    seen = 0
    while True:
        for _ in range(80):
            seen += 1
            number = int(rng.expovariate(1) * (1000 + seen**0.5))
            counters.setdefault(f"requests_total{{path='/items/{number}'}}", [0.0] * 12)[number % 12] += 1
        yield rng.uniform(0.3, 0.9)


def files(rng: Random) -> Iterator[float]:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(30_000_000))
        file.flush()
        area = mmap.mmap(file.fileno(), 0)
        while True:
            begin = rng.randrange(len(area) - 100_000)
            sum(area[begin : begin + 100_000 : 4096])
            serve(rng)
            yield rng.uniform(0.3, 1)


def shared_ring(rng: Random) -> Iterator[float]:
    area, place = mmap.mmap(-1, 12_000_000), 0
    while True:
        for _ in range(rng.randrange(6)):
            body = text(rng, 1500).encode()
            place = place if place + len(body) < len(area) else 0
            area[place : place + len(body)] = body
            place += len(body)
        serve(rng)
        yield rng.uniform(0.2, 0.8)


def task_bursts(rng: Random) -> Iterator[float]:
    loop = asyncio.new_event_loop()

    async def request() -> None:
        body = record(rng)
        await asyncio.sleep(rng.uniform(0, 3))
        body.clear()

    async def step() -> None:
        await asyncio.gather(*(request() for _ in range(int(rng.lognormvariate(5, 0.9)))))

    while True:
        loop.run_until_complete(step())
        yield rng.expovariate(0.3)


def buffers(rng: Random) -> Iterator[float]:
    while True:
        output = io.StringIO()
        for _ in range(rng.randrange(5, 80)):
            output.write(text(rng, 600))
            yield rng.uniform(0.1, 0.5)


def busy_service(rng: Random) -> Iterator[float]:
    """Several of these at once, as in most services."""
    parts = [part(rng) for part in (popular_keys, collected_rarely, jobs, expiring)]
    while True:
        yield next(parts[rng.randrange(len(parts))])
