"""Every object once, with its class, size and edges, compared with the interpreter's view."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.heapfile.format import WEAK
from heap_exporter.heapfile.records import NodeRecord
from tests.native.conftest import REPOSITORY
from tests.native.graphs import Graph, read
from tests.processes.programs import next_json, program

OBJECTS_OF_THE_WALK = 60
"""Objects that a walk itself may create: its local variables and similar."""

NOT_EXACT = (
    "StgDict", "_ctypes.", "ctypes.", "_io.Buffered", "_struct.Struct", "itertools.product", "numpy.bool",
    "numpy.float64", "numpy._DTypeMeta",
)  # fmt: skip  # a list of names
"""Prefixes of types whose ``__sizeof__`` reads private structures; see the walker's docstring."""


@dataclass(frozen=True, slots=True)
class Account:
    """A snapshot, and the oracle's view of the objects that did not change during it."""

    graph: Graph
    objects: dict[int, dict[str, Any]]
    only_by_key: set[int]
    known: set[int]
    own: set[int]

    @property
    def shared(self) -> list[tuple[NodeRecord, dict[str, Any]]]:
        """The objects that are in both."""
        return [(self.graph.nodes[place], said) for place, said in self.objects.items() if place in self.graph.nodes]


@pytest.fixture(
    scope="module",
    params=[pytest.param("KINDS", id="python"), pytest.param("numpy_kinds()", id="numpy", marks=pytest.mark.long)],
)
def walked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the snapshots of a process with objects of every kind, and the expected result."""
    kinds = request.param
    if "numpy" in kinds and not find_spec("numpy"):
        pytest.skip("numpy is not installed")
    folder = tmp_path_factory.mktemp("account")
    code = f"""
        import warnings
        from pathlib import Path
        from heap_exporter.walker.own_objects import own_objects
        from tests.native.sample_objects import KINDS, numpy_kinds, plant
        from tests.native.oracle import write_expectations
        from tests.heaps.walks import chosen, snapshot

        warnings.simplefilter("ignore")
        held = plant({kinds}, 20)
        walker = chosen("native")
        walk = lambda name: snapshot(walker, Path(name + ".heap"))
        walk("first")
        write_expectations(walk, lambda: own_objects((walker,)).ids, Path("expected.json"))
        print(len(held))
    """
    with program(code, folder, PYTHONPATH=str(REPOSITORY)) as process:
        assert next_json(process) > 0
    return folder


@pytest.fixture(scope="module")
def expected(walked: Path) -> dict[str, Any]:
    """The expected result of the walks."""
    found: dict[str, Any] = json.loads((walked / "expected.json").read_text())
    return found


@pytest.fixture(scope="module", params=["as-it-comes", "frozen"])
def account(request: pytest.FixtureRequest, walked: Path, expected: dict[str, Any]) -> Account:
    """A walk, and the expected result."""
    objects = {found["place"]: found for found in expected["objects"]}
    sets = (set(expected[name]) for name in ("only_by_key", "known", "own"))
    return Account(read(walked / f"{request.param}.heap"), objects, *sets)


def types_of(account: Account, places: set[int]) -> Counter[str]:
    """Return how many of these there are of each type; for the message of a failure."""
    return Counter(account.objects[place]["type"] for place in places)


def test_every_object_is_found(account: Account) -> None:
    missing = set(account.objects) - set(account.graph.nodes) - account.own

    assert not missing, types_of(account, missing)


def test_no_object_is_found_twice(account: Account) -> None:
    assert account.graph.twice == []
    assert account.graph.footer.objects == len(account.graph.nodes)


def test_only_existing_objects_are_found(account: Account) -> None:
    extra = set(account.graph.nodes) - account.known

    types = Counter(account.graph.type_name(place) for place in extra)
    assert len(extra) <= OBJECTS_OF_THE_WALK, types


def test_keys_of_dicts_are_found_that_the_collector_does_not_visit(account: Account) -> None:
    assert len(account.only_by_key) > 100
    assert {account.objects[place]["type"] for place in account.only_by_key} == {"str"}
    assert account.only_by_key <= set(account.graph.nodes) | account.own


def test_sizes_equal_getsizeof(account: Account) -> None:
    wrong: dict[str, tuple[int, int]] = {
        report["type"]: (node.size_bytes, report["bytes"])
        for node, report in account.shared
        if node.size_bytes != report["bytes"] and not report["type"].startswith(NOT_EXACT)
    }

    assert wrong == {}, "type: (in the snapshot, by sys.getsizeof)"


def test_every_object_has_its_class(account: Account) -> None:
    wrong = {
        (node.shape.type.name, report["type"])
        for node, report in account.shared
        if (node.shape.type.place, node.shape.type.name) != (report["class"], report["type"])
    }

    assert wrong == set()


def test_edges_equal_the_references_that_the_collector_visits(account: Account) -> None:
    wrong: dict[str, tuple[int, int, int]] = {}
    for node, report in account.shared:
        found, wanted = (
            Counter(place for place in places if place not in account.own)
            for places in (account.graph.visited(node, report["edges"]), report["edges"])
        )
        if found != wanted:
            wrong[report["type"]] = (node.place, (wanted - found).total(), (found - wanted).total())

    assert wrong == {}, "type: (an example, edges missing, edges too many)"


def test_items_of_lists_tuples_and_dicts_are_in_order(account: Account) -> None:
    seen = 0
    for node, report in account.shared:
        if report["in_order"] and not account.own & set(report["edges"]):
            assert account.graph.visited(node, report["edges"]) == report["edges"], report["type"]
            seen += 1

    assert seen > 1000


def test_references_are_counted(account: Account) -> None:
    edges = sum(len(node.edges) - node.edges.count(0) for node in account.graph.nodes.values())

    assert account.graph.footer.references == edges


def test_only_weak_references_are_marked_as_weak(account: Account) -> None:
    for node, report in account.shared:
        assert bool(node.shape.flags & WEAK) == report["weak"], report["type"]
