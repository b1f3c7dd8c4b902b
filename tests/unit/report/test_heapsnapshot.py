"""The ``.heapsnapshot`` of a small graph."""

import json
from pathlib import Path
from typing import Any

import pytest

from heap_exporter import analysis
from heap_exporter.analysis.summary import summarise
from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import MODULE, SEQUENCE, BlockWriter
from heap_exporter.report import heapsnapshot
from tests.heaps.files import small_graph, write_file

LARGE = 5 << 30
ITEMS = 10


def written(path: Path) -> dict[str, Any]:
    graph = analysis.load(path)
    target = path.with_suffix(heapsnapshot.SUFFIX)
    heapsnapshot.write(graph, summarise(graph), target)
    document: dict[str, Any] = json.loads(target.read_text())
    return document


def rows(document: dict[str, Any], table: str, length: int) -> list[list[int]]:
    numbers = document[table]
    return [numbers[begin : begin + length] for begin in range(0, len(numbers), length)]


def edges_of(document: dict[str, Any]) -> list[tuple[str, str, str | int, str]]:
    """Return each edge as the name of its source, its type, its name or position, and the name of its target."""
    nodes, strings, edges = rows(document, "nodes", 5), document["strings"], iter(rows(document, "edges", 3))
    types = document["snapshot"]["meta"]["edge_types"][0]
    found = []
    for _, name, _, _, count in nodes:
        for _ in range(count):
            kind, label, target = next(edges)
            said = label if types[kind] == "element" else strings[label]
            found.append((strings[name], types[kind], said, strings[nodes[target // 5][1]]))
    assert next(edges, None) is None
    return found


def large_and_listed(out: BlockWriter) -> None:
    """Write an object of 5 GiB, a list of it with empty positions, and a list subclass with an attribute."""
    encoder = GraphEncoder(out)
    plain = encoder.shape(encoder.type("bytes"), leaf=True)
    lists = encoder.shape(encoder.type("list", 0, SEQUENCE))
    named = encoder.shape(encoder.type("shop.Cart", 0, SEQUENCE), edge_names=("owner",))
    encoder.node(plain, 0x100, LARGE, 3, ())
    encoder.node(lists, 0x200, 100, 2, [0x100 if position % 2 else 0 for position in range(ITEMS)])
    encoder.node(named, 0x300, 100, 1, (0x100, *[0x200] * ITEMS))
    encoder.root(MODULE, 0x300, "shop", owned=True)
    encoder.end()


def test_members_are_in_the_order_that_devtools_needs_and_the_counts_are_correct(tmp_path: Path) -> None:
    document = written(write_file(tmp_path / "a.heap", small_graph))

    assert list(document) == ["snapshot", "nodes", "edges", "strings"]
    assert document["snapshot"]["node_count"] * 5 == len(document["nodes"])
    assert document["snapshot"]["edge_count"] * 3 == len(document["edges"])


def test_nodes_are_named_after_holders_and_types(tmp_path: Path) -> None:
    document = written(write_file(tmp_path / "a.heap", small_graph))

    names = [document["strings"][name] for _, name, *_ in rows(document, "nodes", 5)]
    assert names[0] == "(root)"
    assert sorted(names[-4:]) == ["dict", "list", "shop.Thing", "str"]
    assert {"(modules)", "MainThread", "shop.serve"} <= set(names)


def test_weak_references_are_weak_edges_and_unknown_targets_are_left_out(tmp_path: Path) -> None:
    edges = edges_of(written(write_file(tmp_path / "a.heap", small_graph)))

    assert ("list", "element", 0, "str") in edges
    assert ("dict", "internal", "key", "str") in edges
    assert ("dict", "property", "größe", "list") in edges
    assert [edge[1] for edge in edges if edge[0] == "shop.Thing"] == ["weak", "internal", "internal"]
    assert len([edge for edge in edges if edge[0] == "list"]) == 1
    assert ("(modules)", "property", "shop", "dict") in edges


@pytest.mark.parametrize("at_once", [1, 3, 7, 1000])
def test_items_have_their_index_across_the_pieces_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(heapsnapshot, "_AT_ONCE", at_once)

    edges = edges_of(written(write_file(tmp_path / "a.heap", large_and_listed)))

    assert [edge[2] for edge in edges if edge[0] == "list"] == [1, 3, 5, 7, 9]
    assert [edge[2] for edge in edges if edge[0] == "shop.Cart"] == ["owner", *range(ITEMS)]


def test_a_size_over_32_bits_is_clipped(tmp_path: Path) -> None:
    document = written(write_file(tmp_path / "a.heap", large_and_listed))

    assert max(size for _, _, _, size, _ in rows(document, "nodes", 5)) == 2**32 - 1
