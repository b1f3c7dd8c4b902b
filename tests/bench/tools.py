"""Tools that examine a heap, each as a function: heap-exporter, other tools, and bare operations."""

from __future__ import annotations

import gc
import os
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from tests.heaps.walks import chosen, write_snapshot


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a tool: objects and references it counted, and the bytes of the file it wrote."""

    objects: int | None = None
    references: int | None = None
    file_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: its name, its function, and the module it needs."""

    title: str
    run: Callable[[], Outcome]
    module: str = "heap_exporter"
    native: bool = False

    @property
    def installed(self) -> bool:
        """Whether its module is there."""
        with suppress(ModuleNotFoundError):
            return find_spec(self.module) is not None
        return False


def _census(name: str) -> Callable[[], Outcome]:
    def take() -> Outcome:
        census = chosen(name).census()
        return Outcome(census.objects, census.references)

    return take


def _snapshot(name: str) -> Callable[[], Outcome]:
    def take() -> Outcome:
        with tempfile.TemporaryFile() as file:
            walk = write_snapshot(chosen(name), file.fileno())
            return Outcome(walk.objects, walk.references, os.fstat(file.fileno()).st_size)

    return take


def _counter() -> Outcome:
    return Outcome(Counter(map(type, gc.get_objects())).total())


def _pympler() -> Outcome:
    muppy, summary = import_module("pympler.muppy"), import_module("pympler.summary")
    return Outcome(sum(objects for _, objects, _ in summary.summarize(muppy.get_objects())))


def _guppy() -> Outcome:
    return Outcome(import_module("guppy").hpy().heap().count)


def _objgraph() -> Outcome:
    counts = import_module("objgraph").most_common_types(limit=1 << 30)
    return Outcome(sum(objects for _, objects in counts))


def _dozer() -> Outcome:
    # What its thread does every five seconds: dozer.leak.Dozer.tick.
    gc.collect()
    counts: defaultdict[str, int] = defaultdict(int)
    for found in gc.get_objects():
        cls = type(found)
        counts[f"{cls.__module__}.{cls.__name__}"] += 1
    return Outcome(sum(counts.values()))


def fork_seconds() -> float:
    """Fork, and return how long the call took in the parent; the child exits at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads running; the child does nothing
        began = time.perf_counter()
        child = os.fork()
        took = time.perf_counter() - began
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return took


def _fork() -> Outcome:
    fork_seconds()
    return Outcome()


def _collect() -> Outcome:
    gc.collect()
    return Outcome()


TOOLS = {
    "native-census": Tool("heap-exporter native: census", _census("native"), native=True),
    "native-snapshot": Tool("heap-exporter native: snapshot", _snapshot("native"), native=True),
    "portable-census": Tool("heap-exporter portable: census", _census("portable")),
    "portable-snapshot": Tool("heap-exporter portable: snapshot", _snapshot("portable")),
    "counter": Tool("`Counter(map(type, gc.get_objects()))`", _counter, "gc"),
    "objgraph": Tool("objgraph `most_common_types()`", _objgraph, "objgraph"),
    "dozer": Tool("Dozer's tick", _dozer, "gc"),
    "pympler": Tool("pympler `muppy` + `summary`", _pympler, "pympler.muppy"),
    "guppy3": Tool("guppy3 `hpy().heap()`", _guppy, "guppy"),
    "collect": Tool("`gc.collect()` alone", _collect, "gc"),
    "fork": Tool("`os.fork()` alone", _fork, "os"),
}
