"""Every counted reference is one edge or one root, also where frames and generators share references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.native.conftest import REPOSITORY
from tests.native.graphs import Graph, read
from tests.processes.programs import next_json, program

CODE = """
    import asyncio, collections, contextvars, functools, json, sys, threading, types
    from pathlib import Path
    from tests.heaps.walks import chosen, snapshot

    class Leak(Exception):
        def method(self): ...
    class Inline: pass
    class Slotted: __slots__ = ("leak",)

    report, kept, running, done = {}, [], threading.Semaphore(0), threading.Event()
    local, variable = threading.local(), contextvars.ContextVar("variable")

    def plant(kind):
        leak = Leak()
        report[kind] = id(leak) >> 4
        return leak
    def wait():
        running.release()
        done.wait()

    # Running frames; a walk does not see evaluation stacks, so nothing is held there.
    def function():
        leak = plant("local of a function")
        wait()
    def shared():
        leak = plant("cell of a function")
        kept.append(lambda: leak)
        wait()
    def framed():
        leak = plant("local of a function whose frame is held")
        kept.append(sys._getframe())
        wait()
    def handling():
        try: raise plant("handled by a function")
        except Leak: wait()
    def waiting():
        leak = plant("local of a generator")
        wait()
        yield
    def delegating():
        leak = plant("local of a generator that runs another")
        yield from delegate()
    def delegate():
        leak = plant("local of a generator that another runs")
        wait()
        yield
    def generator_cell():
        leak = plant("cell of a generator")
        kept.append(lambda: leak)
        wait()
        yield
    def generator_handling():
        try: raise plant("handled by a generator")
        except Leak: wait()
        yield
    def generator_calling():
        try: raise plant("handled by a generator that calls")
        except Leak: called()
        yield
    def called():
        leak = plant("local of a function that a generator calls")
        wait()
    def handling_around():
        try: raise plant("handled around a generator")
        except Leak: list(inside())
    def inside():
        try: raise plant("handled by a generator inside") from None
        except Leak as leak: leak.__context__ = None
        wait()
        yield
    async def coroutine():
        leak = plant("local of a coroutine")
        await awaited()
    async def awaited():
        leak = plant("local of a coroutine that is awaited")
        try: raise plant("handled by a coroutine")
        except Leak: wait()
    async def iterated():
        leak = plant("local of an async generator")
        wait()
        yield
    async def iterating():
        leak = plant("local of what runs an async generator")
        async for _ in iterated(): pass
    def thread_local():
        local.leak = plant("local of a thread")
        wait()
    def context():
        variable.set(plant("value of a context variable"))
        wait()
    RUNNING = (
        function, shared, framed, handling, handling_around, thread_local, context,
        lambda: list(waiting()), lambda: list(delegating()), lambda: list(generator_cell()),
        lambda: list(generator_handling()), lambda: list(generator_calling()),
        lambda: asyncio.run(coroutine()), lambda: asyncio.run(iterating()),
    )

    # Suspended and finished frames.
    def suspended():
        leak = plant("local of a suspended generator")
        yield
    def suspended_handling():
        try: raise plant("handled by a suspended generator")
        except Leak: yield
    @types.coroutine
    def pause(): yield
    async def suspended_coroutine():
        leak = plant("local of a suspended coroutine")
        await pause()
    async def suspended_iterated():
        leak = plant("local of a suspended async generator")
        yield
    def failed():
        leak = plant("local of a function that failed")
        raise ValueError
    def begun(made):
        try: made.send(None)
        except StopIteration: pass
        return made
    def begun_async(made):
        begun(made.__anext__())
        return made
    def failure():
        try: failed()
        except ValueError as error: return error
    def closure():
        leak = plant("cell")
        return lambda: leak
    def default(leak=plant("default")): ...
    def attribute(made, kind):
        made.leak = plant(kind)
        return made
    def materialised():
        made = Inline()
        vars(made)["leak"] = plant("value of a __dict__")
        return made
    kept += [
        begun(suspended()), begun(suspended_handling()), begun(suspended_coroutine()),
        begun_async(suspended_iterated()), failure(), closure(), materialised(),
        attribute(Inline(), "attribute"), attribute(Slotted(), "slot"),
        attribute(types.ModuleType("made"), "attribute of a module"),
        attribute(type("Made", (), {}), "attribute of a class"),
        [plant("item of a list")], (plant("item of a tuple"), 1), {plant("item of a set")},
        {plant("key"): 1}, {"leak": plant("value")}, collections.deque([plant("item of a deque")]),
        plant("self of a bound method").method, functools.partial(print, plant("argument of a partial")),
        {"once": [twice := plant("held twice"), twice]},
    ]
    del twice
    module_global = plant("global")

    threads = [threading.Thread(target=target, daemon=True) for target in RUNNING]
    for thread in threads:
        thread.start()
        running.acquire()
    snapshot(chosen("native"), Path("test.heap"))
    print(json.dumps(report), flush=True)
    done.set()
    for thread in threads: thread.join()
"""

KINDS = (
    "local of a function", "cell of a function", "local of a function whose frame is held", "handled by a function",
    "local of a generator", "local of a generator that runs another", "local of a generator that another runs",
    "cell of a generator", "handled by a generator", "handled by a generator that calls",
    "local of a function that a generator calls", "handled around a generator", "local of a coroutine",
    "local of a coroutine that is awaited", "handled by a coroutine", "local of an async generator",
    "local of what runs an async generator", "local of a thread", "value of a context variable",
    "local of a suspended generator", "handled by a suspended generator", "local of a suspended coroutine",
    "local of a suspended async generator", "local of a function that failed", "cell", "default",
    "value of a __dict__", "attribute", "slot", "attribute of a module", "attribute of a class", "item of a list",
    "item of a tuple", "item of a set", "key", "value", "item of a deque", "self of a bound method",
    "argument of a partial", "held twice", "global",
)  # fmt: skip  # a list of names


@dataclass(frozen=True, slots=True)
class ProgramReport:
    """The places of the program's objects, its snapshot, and the number of references to each in it."""

    places: dict[str, int]
    graph: Graph
    references: Counter[int]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProgramReport]:
    folder: Path = tmp_path_factory.mktemp("counts")
    with program(CODE, folder, PYTHONPATH=str(REPOSITORY)) as process:
        places = next_json(process)
        graph = read(folder / "test.heap")
        yield ProgramReport(places, graph, graph.owned_references())


@pytest.mark.parametrize("kind", KINDS)
def test_a_reference_is_counted_once(report: ProgramReport, kind: str) -> None:
    place = report.places[kind]

    assert report.references[place] == report.graph.nodes[place].reference_count == (2 if kind == "held twice" else 1)
