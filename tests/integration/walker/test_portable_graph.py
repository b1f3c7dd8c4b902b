"""The portable walker writes a complete and exact graph with no text of the heap but names of attributes.

It runs in its own small process: a walk in Python takes long where the tests have imported a million objects.
"""

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.heapfile.edges import EdgeRole, edges
from heap_exporter.heapfile.format import LOCAL, MODULE
from heap_exporter.heapfile.records import FrameRecord, NameRecord, NodeRecord, Record, RootRecord, ThreadRecord
from tests.heaps.files import nodes, read_all
from tests.processes.planted import SECRETS, VALUE_OF_AN_ATTRIBUTE, PlantedObject

REPOSITORY = Path(__file__).parents[3]


@dataclass
class WalkedProcess:
    """The records of a graph, and what its process says of its objects."""

    path: Path
    records: list[Record]
    nodes: dict[int, NodeRecord]
    planted: list[PlantedObject]
    places: dict[str, int]
    facts: dict[str, Any]

    def node(self, name: str) -> NodeRecord:
        return self.nodes[self.places[name]]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> WalkedProcess:
    path = tmp_path_factory.mktemp("planted") / "a.heap"
    command = [sys.executable, "-m", "tests.processes.planted", str(path)]
    facts = json.loads(subprocess.check_output(command, cwd=REPOSITORY, text=True))
    records = read_all(path)
    planted = [PlantedObject(**each) for each in facts["planted"]]
    return WalkedProcess(path, records, nodes(records), planted, facts["places"], facts)


def test_the_counts_of_the_walk_are_those_of_the_file(walked: WalkedProcess) -> None:
    assert walked.facts["walk"]["objects"] == len(walked.nodes)
    assert len(walked.nodes) == sum(isinstance(record, NodeRecord) for record in walked.records)
    assert walked.facts["walk"]["references"] == sum(
        1 for node in walked.nodes.values() for target in node.edges if target
    )


def test_every_object_has_its_size_and_references(walked: WalkedProcess) -> None:
    assert len(walked.planted) > 20
    for planted in walked.planted:
        node = walked.nodes[planted.place]
        assert node.shape.type.name == planted.type_name
        assert node.shape.type.place == planted.type_place
        assert node.size_bytes == planted.size_bytes
        assert sorted(edge.target for edge in edges(node) if not edge.weak) == planted.references, planted.text
        assert all(target in walked.nodes for target in node.edges), planted.text


def test_items_and_keys_have_their_positions(walked: WalkedProcess) -> None:
    first, second, one, two = (walked.places[name] for name in ("first", "second", "one", "two"))

    assert [(edge.role, edge.position, edge.target) for edge in edges(walked.node("items"))] == [
        (EdgeRole.ITEM, position, target) for position, target in enumerate((first, second, first))
    ]
    assert list(walked.node("pair").edges) == [second, first]
    assert [(edge.role, edge.target, edge.key) for edge in edges(walked.node("table"))] == [
        (EdgeRole.KEY, one, None),
        (EdgeRole.VALUE, first, one),
        (EdgeRole.KEY, two, None),
        (EdgeRole.VALUE, second, two),
    ]


def test_a_weak_reference_is_marked_and_a_dead_one_is_empty(walked: WalkedProcess) -> None:
    assert [(edge.target, edge.weak) for edge in edges(walked.node("alive"))] == [(walked.places["first"], True)]
    assert list(edges(walked.node("dead"))) == []


def test_reference_counts_contain_only_the_application_s_references(walked: WalkedProcess) -> None:
    counted, texts = ([walked.nodes[place] for place in walked.facts[name]] for name in ("counted", "texts"))

    assert [node.reference_count for node in counted] == [1, 2, 3]
    assert [node.reference_count for node in texts] == [1, 1, 1]
    assert walked.node("again").reference_count == 1
    assert (walked.node("None").reference_count == 0) is (sys.version_info >= (3, 12))


def test_only_names_of_attributes_are_written(walked: WalkedProcess) -> None:
    names = {record.name: record.place for record in walked.records if isinstance(record, NameRecord)}

    assert names["an_attribute"] == walked.places["an_attribute"]
    assert {"Planted", "plant", "__init__", "modules"} <= names.keys()
    assert not [name for name in names if name in SECRETS or name.startswith(VALUE_OF_AN_ATTRIBUTE)]
    assert all(len(name) <= 120 and name.isidentifier() for name in names)


def test_no_text_of_the_heap_is_in_the_file(walked: WalkedProcess) -> None:
    written = walked.path.read_bytes()

    assert not [secret for secret in SECRETS if secret.encode() in written]


def test_modules_are_roots_except_heap_exporter_s(walked: WalkedProcess) -> None:
    roots = {
        record.name: record for record in walked.records if isinstance(record, RootRecord) and record.role == MODULE
    }

    assert roots["threading"].place == walked.places["threading"]
    assert not roots["threading"].owned
    assert not [name for name in roots if name.split(".")[0] == "heap_exporter"]


def test_frames_of_other_threads_are_written(walked: WalkedProcess) -> None:
    begin = walked.records.index(ThreadRecord(walked.facts["thread"], 0))
    functions = [record.function for record in walked.records[begin:] if isinstance(record, FrameRecord)]

    assert any(function.endswith("work_on") for function in functions)
    assert not [function for function in functions if function.startswith("heap_exporter")]
    root = RootRecord(LOCAL, True, "local_things", walked.places["local"])
    assert (root in walked.records) is (sys.version_info >= (3, 13))


def test_heap_exporter_s_own_objects_are_left_out(walked: WalkedProcess) -> None:
    assert walked.places["walker"] not in walked.nodes
    assert list(walked.node("ours").edges) == [0]
    assert not [node for node in walked.nodes.values() if node.shape.type.name.startswith("heap_exporter")]


def test_a_walk_needs_little_memory() -> None:
    code = """
        import os, tracemalloc
        from heap_exporter.heapfile.format import BlockWriter
        from heap_exporter.walker.portable_walker import PortableWalker
        held = [[str(number)] for number in range(20_000)]
        tracemalloc.start()
        with open(os.devnull, "wb") as nowhere:
            walk = PortableWalker((), lambda: False).write_graph(BlockWriter(nowhere.fileno()))
        print(walk.objects, tracemalloc.get_traced_memory()[1])
    """
    objects, peak = map(int, subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)], text=True).split())

    assert objects > 40_000
    assert peak < 60 * objects
