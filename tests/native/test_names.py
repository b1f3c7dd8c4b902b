"""Each edge has the name that a programmer would use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.heapfile.edges import EdgeRole
from tests.native.conftest import REPOSITORY
from tests.native.graphs import Graph, read
from tests.processes.programs import next_json, program

CODE = """
    import asyncio, collections, ctypes, enum, functools, json, types, weakref
    from pathlib import Path
    from tests.heaps.walks import chosen, snapshot

    class Leak: pass
    class Inline:
        def __init__(self):
            self.alpha, self.beta = Leak(), Leak()
    class Slotted:
        __slots__ = ("beta", "alpha", "empty", "__weakref__")
        def __init__(self):
            self.alpha, self.beta = Leak(), Leak()
    class Child(Slotted):
        def __init__(self):
            super().__init__()
            self.gamma = Leak()
    class Klass:
        alpha = Leak()
        def method(self): ...
    class ListChild(list): pass
    class DictChild(dict): pass
    class IntChild(int): pass
    class BytesChild(bytes): pass
    class TupleChild(collections.namedtuple("Row", "left right")): pass
    class Level(enum.IntEnum):
        LOW = 1
    class Failure(Exception): pass

    def closure():
        alpha, beta = Leak(), Leak()
        return lambda: (alpha, beta)
    def defaulted(a=Leak(), *, b=Leak()): ...
    def generate():
        alpha, beta = Leak(), Leak()
        yield
    async def wait(event):
        alpha = Leak()
        await event.wait()

    inline, slotted, child, klass = Inline(), Slotted(), Child(), Klass
    materialised = Inline(); vars(materialised)["gamma"] = Leak()
    shrunk = Inline(); del shrunk.alpha; shrunk.gamma = Leak()
    wide = Inline()
    for index in range(60): setattr(wide, f"wide_{index}", Leak())
    module = types.ModuleType("made"); module.alpha = Leak()
    function = closure()
    generator = generate(); next(generator)
    items, pair = [Leak() for _ in range(5)], (None, Leak(), Leak())
    list_child = ListChild([Leak(), Leak()]); list_child.alpha = Leak()
    mapping = {"plain key": Leak(), "other key": Leak(), 5: Leak()}
    dict_child = DictChild({"plain key": Leak()}); dict_child.alpha = Leak()
    namespace = types.SimpleNamespace(alpha=Leak())
    weak, bound = weakref.ref(inline), inline.__init__
    partial = functools.partial(print, inline)
    failure = Failure(Leak()); failure.alpha = Leak()
    number, text, row, member = IntChild(1 << 70), BytesChild(b"bytes"), TupleChild(Leak(), Leak()), Level.LOW
    for held in (number, text, row, member): held.alpha = Leak()
    queue = collections.deque([Leak(), Leak()])
    held_in_c = Leak(); ctypes.pythonapi.Py_IncRef(ctypes.py_object(held_in_c))

    place = lambda found: id(found) >> 4
    wanted = {
        "inline": [place(inline), {
            "alpha": place(inline.alpha), "beta": place(inline.beta), "__class__": place(Inline)}],
        "slotted": [place(slotted), {"alpha": place(slotted.alpha), "beta": place(slotted.beta)}],
        "child": [place(child), {"alpha": place(child.alpha), "beta": place(child.beta), "gamma": place(child.gamma)}],
        "materialised": [place(materialised), {name: place(found) for name, found in vars(materialised).items()}],
        "shrunk": [place(shrunk), {"beta": place(shrunk.beta), "gamma": place(shrunk.gamma)}],
        "wide": [place(wide), {f"wide_{n}": place(getattr(wide, f"wide_{n}")) for n in range(60)}],
        "module": [place(module), {"alpha": place(module.alpha)}],
        "class": [place(klass), {"alpha": place(klass.alpha), "method": place(klass.method)}],
        "function": [place(defaulted), {
            "__defaults__": place(defaulted.__defaults__), "__kwdefaults__": place(defaulted.__kwdefaults__),
            "__globals__": place(globals()), "__code__": place(defaulted.__code__)}],
        "cell": [place(function.__closure__[0]), {"cell_contents": place(function.__closure__[0].cell_contents)}],
        "generator": [place(generator), {
            "alpha": place(generator.gi_frame.f_locals["alpha"]), "beta": place(generator.gi_frame.f_locals["beta"])}],
        "list child": [place(list_child), {"alpha": place(list_child.alpha)}],
        "dict child": [place(dict_child), {"alpha": place(dict_child.alpha)}],
        "namespace": [place(namespace), {"alpha": place(namespace.alpha)}],
        "exception": [place(failure), {"args": place(failure.args), "alpha": place(failure.alpha)}],
        "bound method": [place(bound), {"__self__": place(inline), "__func__": place(Inline.__init__)}],
        "partial": [place(partial), {"func": place(print), "args": place(partial.args)}],
        "int child": [place(number), {"alpha": place(number.alpha)}],
        "bytes child": [place(text), {"alpha": place(text.alpha)}],
        "namedtuple child": [place(row), {"alpha": place(row.alpha)}],
        "IntEnum member": [place(member), {"alpha": place(member.alpha), "_name_": place(member._name_)}],
    }
    report = {
        "named": wanted, "closure": [place(function), {
            name: place(cell) for name, cell in zip(function.__code__.co_freevars, function.__closure__)}],
        "items": [place(items), [place(found) for found in items]],
        "pair": [place(pair), [place(found) for found in pair]],
        "list child": [place(list_child), [place(found) for found in list_child]],
        "mapping": [place(mapping), [[place(key), place(value)] for key, value in mapping.items()]],
        "key": [place(key) for key in mapping],
        "weak": [place(weak), place(inline)],
        "counts": {name: place(found) for name, found in dict(
            inline=inline, slotted=slotted, items=items, leak=inline.alpha, function=function).items()},
        "held in C": place(held_in_c),
    }

    async def main():
        event = asyncio.Event()
        task = asyncio.create_task(wait(event))
        await asyncio.sleep(0)
        report["task"] = [place(task), place(task.get_coro()), place(task.get_coro().cr_frame.f_locals["alpha"])]
        globals()["wanted"] = None
        snapshot(chosen("native"), Path("test.heap"))
        snapshot(chosen("native", keys=True), Path("keys.heap"))
        event.set()
        await task

    asyncio.run(main())
    print(json.dumps(report))
"""

NAMED = (
    "inline", "slotted", "child", "materialised", "shrunk", "wide", "module", "class", "function", "cell", "generator",
    "list child", "dict child", "namespace", "exception", "bound method", "partial", "int child", "bytes child",
    "namedtuple child", "IntEnum member",
)  # fmt: skip  # a list of names


@dataclass(frozen=True, slots=True)
class ProgramReport:
    """The program's output, and its snapshots."""

    output: dict[str, Any]
    graph: Graph
    with_keys: Graph


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProgramReport]:
    folder: Path = tmp_path_factory.mktemp("names")
    with program(CODE, folder, PYTHONPATH=str(REPOSITORY)) as process:
        yield ProgramReport(next_json(process), read(folder / "test.heap"), read(folder / "keys.heap"))


def names_of(graph: Graph, place: int) -> dict[str, int]:
    """Return the named edges of an object and of its ``__dict__``, as a reader follows them."""
    named = graph.named(place)
    namespace = named.get("__dict__")
    return {**named, **(graph.named(namespace) if namespace in graph.nodes else {})}


@pytest.mark.parametrize("kind", NAMED)
def test_edges_have_their_names(report: ProgramReport, kind: str) -> None:
    place, wanted = report.output["named"][kind]

    named = names_of(report.graph, place)

    assert {name: named.get(name) for name in wanted} == wanted


def test_a_deleted_attribute_is_not_named(report: ProgramReport) -> None:
    place, _ = report.output["named"]["shrunk"]

    assert "alpha" not in names_of(report.graph, place)


def test_the_cells_of_a_closure_are_named_by_their_function(report: ProgramReport) -> None:
    place, wanted = report.output["closure"]

    cells = report.graph.edges(report.graph.named(place)["__closure__"])

    shape = report.graph.nodes[place].shape
    assert dict(zip(shape.cell_names, (cell.target for cell in cells), strict=True)) == wanted


@pytest.mark.parametrize("name", ["items", "pair", "list child"])
def test_items_have_their_position(report: ProgramReport, name: str) -> None:
    place, wanted = report.output[name]

    items = {edge.position: edge.target for edge in report.graph.edges(place) if edge.role is EdgeRole.ITEM}

    assert items == dict(enumerate(wanted))


def test_values_of_a_dict_have_their_keys(report: ProgramReport) -> None:
    place, wanted = report.output["mapping"]

    values = [[edge.key, edge.target] for edge in report.graph.edges(place) if edge.role is EdgeRole.VALUE]

    assert values == wanted


def test_keys_of_plain_dicts_are_named_only_with_the_setting(report: ProgramReport) -> None:
    text, other, number = report.output["key"]

    assert not {text, other, number} & set(report.graph.names)
    assert not report.graph.header.keys
    assert report.with_keys.names[text] == "plain key"
    assert report.with_keys.names[other] == "other key"
    assert number not in report.with_keys.names


def test_a_weak_reference_is_marked(report: ProgramReport) -> None:
    place, target = report.output["weak"]

    weak = [edge for edge in report.graph.edges(place) if edge.weak]

    assert [edge.target for edge in weak] == [target]


def test_a_waiting_task_leads_to_the_locals_of_its_coroutine(report: ProgramReport) -> None:
    task, coroutine, leak = report.output["task"]

    assert coroutine in {edge.target for edge in report.graph.edges(task)}
    assert report.graph.named(coroutine)["alpha"] == leak


@pytest.mark.parametrize("name", ["inline", "slotted", "items", "leak", "function"])
def test_every_counted_reference_is_an_edge_or_a_root(report: ProgramReport, name: str) -> None:
    place = report.output["counts"][name]

    assert report.graph.nodes[place].reference_count == report.graph.owned_references()[place]


def test_an_object_held_from_outside_the_graph_shows_by_its_reference_count(report: ProgramReport) -> None:
    place = report.output["held in C"]

    assert report.graph.nodes[place].reference_count == report.graph.owned_references()[place] + 1
