"""Roots: modules, and the local variables of every thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.heapfile.format import LOCAL, MODULE
from tests.native.conftest import REPOSITORY
from tests.native.graphs import Graph, Root, read
from tests.processes.programs import next_json, program

CODE = """
    import json, sys, threading, time
    from pathlib import Path
    from tests.heaps.walks import chosen, snapshot

    class Leak: pass

    place = lambda found: id(found) >> 4
    report, ready, done = {}, threading.Barrier(6), threading.Event()

    def recorded(iterator):
        report["loop"] = place(iterator)
        return iterator

    def spin():
        leak, begun = [], False
        report["spin"] = [threading.get_ident(), threading.get_native_id(), place(leak)]
        while True:
            if len(leak) < 10_000: leak.append(Leak())
            elif not begun:
                begun = True
                ready.wait()
            if done.is_set(): return

    def outer():
        outer_leak = [Leak()]
        report["outer"] = [threading.get_ident(), threading.get_native_id(), place(outer_leak)]
        inner(outer_leak[0])

    def inner(argument):
        inner_leak = {"leak": Leak()}
        report["inner"] = [threading.get_ident(), threading.get_native_id(), place(inner_leak)]
        report["argument"] = [threading.get_ident(), threading.get_native_id(), place(argument)]
        ready.wait()
        done.wait()

    def loop():
        for _ in recorded(iter([Leak(), Leak()])):
            ready.wait()
            done.wait()
            return

    class Worker:
        def run(self):
            cell_leak = [Leak()]
            report["Worker.run"] = [threading.get_ident(), threading.get_native_id(), place(cell_leak)]
            def local():
                ready.wait()
                done.wait()
                return cell_leak
            local()

    def generate():
        generator_leak = [Leak()]
        report["generate"] = [threading.get_ident(), threading.get_native_id(), place(generator_leak)]
        ready.wait()
        done.wait()
        yield generator_leak

    threads = [threading.Thread(target=target, name=f"thread {target.__name__}") for target in (
        spin, outer, loop, Worker().run, lambda: list(generate()))]
    for thread in threads: thread.start()
    ready.wait()
    sys.setswitchinterval(0.0005)
    snapshot(chosen("native"), Path("test.heap"))
    done.set()
    for thread in threads: thread.join()
    report["main"] = threading.get_ident()
    report["modules"] = {name: place(sys.modules[name]) for name in ("json", "__main__", "sys")}
    print(json.dumps(report))
"""

LOCALS = {
    "spin": ("leak", "list"),
    "outer": ("outer_leak", "list"),
    "inner": ("inner_leak", "dict"),
    "argument": ("argument", "__main__.Leak"),
    "Worker.run": ("cell_leak", "list"),
    "generate": ("generator_leak", "list"),
}


@dataclass(frozen=True, slots=True)
class ProgramReport:
    """What the program said, and its snapshot."""

    output: dict[str, Any]
    graph: Graph


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProgramReport]:
    folder: Path = tmp_path_factory.mktemp("roots")
    with program(CODE, folder, PYTHONPATH=str(REPOSITORY)) as process:
        yield ProgramReport(next_json(process), read(folder / "test.heap"))


def holds(report: ProgramReport, place: int) -> list[Root]:
    """Return how frames hold an object, by itself or in a cell."""
    cells = {
        source
        for source in report.graph.nodes
        if report.graph.type_name(source) == "cell" and place in report.graph.nodes[source].edges
    }
    return [root for root in report.graph.roots if root.record.place in {place, *cells} and root.frame]


GENERATORS = ("generator", "coroutine", "async_generator")


@pytest.mark.parametrize("where", LOCALS)
def test_a_local_variable_is_a_root_with_its_name_function_and_thread(report: ProgramReport, where: str) -> None:
    variable, type_name = LOCALS[where]
    ident, native_id, place = report.output[where]
    function = "inner" if where == "argument" else where

    (root,) = [root for root in holds(report, place) if root.frame and root.frame.function == f"__main__.{function}"]

    assert report.graph.type_name(place) == type_name
    # What a generator refers to as well is not counted a second time.
    generators = [node for node in report.graph.nodes.values() if node.shape.type.name in GENERATORS]
    is_an_edge = any(place in node.edges for node in generators)
    assert (root.record.name, root.record.role, root.record.owned) == (variable, LOCAL, not is_an_edge)
    assert root.thread
    assert (root.thread.ident, root.thread.native_id) == (ident, native_id)


def test_a_leak_held_only_by_a_running_loop_is_complete(report: ProgramReport) -> None:
    *_, place = report.output["spin"]

    leaks = [target for target in report.graph.nodes[place].edges if report.graph.type_name(target) == "__main__.Leak"]

    assert len(leaks) == 10_000


def test_an_object_that_only_an_expression_holds_shows_by_its_reference_count(report: ProgramReport) -> None:
    place = report.output["loop"]

    held = [root for root in report.graph.roots if root.record.place == place]

    assert held == []
    assert place not in {target for node in report.graph.nodes.values() for target in node.edges}
    assert report.graph.nodes[place].reference_count == 1


def test_frames_are_numbered_from_the_innermost(report: ProgramReport) -> None:
    depths = {
        root.frame.function: root.frame.depth
        for root in report.graph.roots
        if root.frame and root.frame.function in ("__main__.inner", "__main__.outer")
    }

    assert depths["__main__.outer"] == depths["__main__.inner"] + 1


def test_threads_are_named_in_the_header(report: ProgramReport) -> None:
    assert report.graph.header.threads[report.output["spin"][0]] == "thread spin"
    assert report.graph.header.threads[report.output["main"]] == "MainThread"


def test_modules_are_roots_by_their_names(report: ProgramReport) -> None:
    modules = {root.record.name: root.record.place for root in report.graph.roots if root.record.role == MODULE}

    assert {name: modules.get(name) for name in report.output["modules"]} == report.output["modules"]


def test_every_root_has_a_node(report: ProgramReport) -> None:
    roots = [
        root for root in report.graph.roots if not (root.frame and root.frame.function.startswith("tests.heaps.walks."))
    ]

    assert {root.record.place for root in roots} <= set(report.graph.nodes)
