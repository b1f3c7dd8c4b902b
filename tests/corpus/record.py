"""Records the recorded part of the corpus: ``python -m tests.corpus.record [NAME...]``.

Each program runs in its own process. Each step does the work of 15 s, so that hours pass in seconds; the probes of the
product sample it after each step, and the timestamps are 15 s apart.
"""

from __future__ import annotations

import ctypes
import gc
import gzip
import json
import math
import random
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import lru_cache

from heap_exporter.detection.history import point
from heap_exporter.probes.sampler import Sampler
from heap_exporter.recording.csv_format import HEADER, csv_row
from heap_exporter.walker.fallback_walker import choose_walker
from tests.corpus.recorded import FOLDER, TRUTH

STEP_SECONDS = 15.0
CENSUS_STEPS = 40
MIB = 1 << 20

Program = Callable[[random.Random], Iterator[None]]


def leaking_sessions(rng: random.Random) -> Iterator[None]:
    sessions: dict[int, object] = {}
    while True:
        for _ in range(rng.randrange(100, 260)):
            sessions[len(sessions)] = {"user": rng.random(), "cart": [rng.random() for _ in range(10)]}
        _requests(rng)
        yield


def leaking_late(rng: random.Random) -> Iterator[None]:
    held: list[bytes] = []
    step = 0
    while True:
        step += 1
        if step > 960:
            held.extend(bytes(rng.randrange(200, 900)) for _ in range(400))
        _requests(rng)
        yield


def leaking_natively(rng: random.Random) -> Iterator[None]:
    malloc = ctypes.CDLL(None).malloc
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    while True:
        for _ in range(20):
            ctypes.memset(malloc(12_000), 1, 12_000)
        _requests(rng)
        yield


def leaking_by_load(rng: random.Random) -> Iterator[None]:
    held: list[list[int]] = []
    step = 0
    while True:
        step += 1
        load = 0.5 + 0.5 * math.sin(step / 150)
        held.extend([rng.randrange(1 << 40) for _ in range(20)] for _ in range(int(load * 80)))
        _requests(rng, 1 + int(3 * load))
        yield


def serving(rng: random.Random) -> Iterator[None]:
    while True:
        _requests(rng, rng.randrange(1, 6))
        yield


def cycles(rng: random.Random) -> Iterator[None]:
    """Makes cyclic garbage, which a full collection frees every 40 minutes."""
    gc.set_threshold(10**9)
    step = 0
    while True:
        step += 1
        for _ in range(400):
            node: dict[str, object] = {"payload": [rng.random() for _ in range(20)]}
            node["self"] = node
        if step % 160 == 0:
            gc.collect()
        yield


def lru_filling(rng: random.Random) -> Iterator[None]:
    @lru_cache(maxsize=12_000)
    def page(number: int) -> bytes:
        return bytes(rng.randrange(1000, 5000))

    number = 0
    while True:
        for _ in range(60):
            page(number := number + 1)
        _requests(rng)
        yield


def cache_of_popular_keys(rng: random.Random) -> Iterator[None]:
    cache: dict[int, bytes] = {}
    while True:
        for _ in range(150):
            key = int(rng.paretovariate(0.4)) % 20_000
            cache.setdefault(key, bytes(2000 + key % 1000))
        _requests(rng)
        yield


def cache_with_expiry(rng: random.Random) -> Iterator[None]:
    cache: OrderedDict[int, list[float]] = OrderedDict()
    step = 0
    while True:
        step += 1
        for _ in range(rng.randrange(50, 150)):
            cache[len(cache) + step * 1000] = [rng.random() for _ in range(12)]
        while len(cache) > 9_000:
            cache.popitem(last=False)
        yield


def batches(rng: random.Random) -> Iterator[None]:
    while True:
        for _ in range(rng.randrange(200, 400)):
            _requests(rng)
            yield
        rows: list[dict[str, float]] = []
        for _ in range(rng.randrange(30, 90)):
            rows.extend({"value": rng.random()} for _ in range(1500))
            yield


def daily_load(rng: random.Random) -> Iterator[None]:
    connections: list[bytearray] = []
    step = 0
    while True:
        step += 1
        wanted = int(150 + 120 * math.sin(step / 916))
        while len(connections) < wanted:
            connections.append(bytearray(rng.randrange(100_000, 300_000)))
        while len(connections) > wanted:
            connections.pop(rng.randrange(len(connections)))
        _requests(rng)
        yield


def warming_up(rng: random.Random) -> Iterator[None]:
    loaded: list[list[float]] = []
    while True:
        if len(loaded) < 20_000:
            loaded.extend([rng.random() for _ in range(40)] for _ in range(250))
        _requests(rng)
        yield


def _requests(rng: random.Random, count: int = 2) -> None:
    """Serve some requests: allocate and free memory of all sizes, which fragments the heap."""
    for _ in range(count):
        body = [{"id": index, "text": "x" * rng.randrange(10, 2000)} for index in range(rng.randrange(20, 600))]
        json.dumps(body)


LEAKS: dict[str, tuple[Program, float, float]] = {
    "leaking_sessions": (leaking_sessions, 12.0, 0.0),
    "leaking_late": (leaking_late, 20.0, 4.0),
    "leaking_natively": (leaking_natively, 12.0, 0.0),
    "leaking_by_load": (leaking_by_load, 12.0, 0.0),
}
"""Programs that leak, with the hours that they run and the hour at which the leak begins."""

HEALTHY: dict[str, tuple[Program, float]] = {
    "serving": (serving, 8.0),
    "cycles": (cycles, 6.0),
    "lru_filling": (lru_filling, 4.0),
    "cache_of_popular_keys": (cache_of_popular_keys, 6.0),
    "cache_with_expiry": (cache_with_expiry, 6.0),
    "batches": (batches, 10.0),
    "daily_load": (daily_load, 26.0),
    "warming_up": (warming_up, 3.0),
}


def record(name: str) -> None:
    """Run a program in this process and write its series."""
    program, hours = LEAKS[name][:2] if name in LEAKS else HEALTHY[name]
    sampler, walker = Sampler(), choose_walker("portable")
    work = program(random.Random(name))
    with gzip.GzipFile(FOLDER / f"{name}.csv.gz", "wb", mtime=0) as out:
        out.write(HEADER.encode())
        for step in range(int(hours * 3600 / STEP_SECONDS)):
            next(work)
            slow = step % CENSUS_STEPS == 0
            made = point(
                sampler.sample(None),
                sampler.detail() if slow else None,
                walker.census() if slow else None,
                restart=step == 0,
            )
            assert made is not None
            out.write(csv_row(made._replace(t_seconds=step * STEP_SECONDS)).encode())


def truth_of(name: str) -> dict[str, float | None]:
    """Return whether and how fast a recorded series leaks: its growth from the onset, by its first and last hour."""
    if name not in LEAKS:
        return {"onset_hours": None, "per_hour": 0.0}
    from heap_exporter.recording.series_reader import read_series

    onset = LEAKS[name][2]
    points = [point for point in read_series(FOLDER / f"{name}.csv.gz") if point.t_seconds >= onset * 3600]
    first, last = (min(one.growing_bytes for one in part) for part in (points[:240], points[-240:]))
    hours = (points[-1].t_seconds - points[0].t_seconds) / 3600 - 1
    return {"onset_hours": onset, "per_hour": round((last - first) / MIB / hours, 1)}


def main(names: list[str]) -> None:
    """Record the named programs, or all of them, each in a new process."""
    if len(names) == 2 and names[0] == "--here":
        return record(names[1])
    FOLDER.mkdir(exist_ok=True)
    for name in names or [*LEAKS, *HEALTHY]:
        subprocess.run([sys.executable, "-m", "tests.corpus.record", "--here", name], check=True)
    known = [name for name in (*LEAKS, *HEALTHY) if (FOLDER / f"{name}.csv.gz").exists()]
    TRUTH.write_text(json.dumps({name: truth_of(name) for name in known}, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
