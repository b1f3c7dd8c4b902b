"""memlab reads a ``.heapsnapshot``, computes the same numbers, and finds the leak."""

import re
from pathlib import Path

import pytest

from heap_exporter.report.snapshot_ids import holder_ids, object_ids
from tests.oracles.answers import memlab, memlab_heap
from tests.oracles.conversions import by_ordinal, converted, expected_dominators
from tests.oracles.snapshots import LEAKED_A_ROUND, REQUEST

pytestmark = pytest.mark.usefixtures("oracles")


def test_retained_sizes_and_dominators_of_a_large_heap_are_the_same_node_for_node(large_heap: Path) -> None:
    graph, target = converted(large_heap)

    answer = memlab_heap(target)

    assert answer.values["distinctIds"] == answer.nodes == graph.objects + len(graph.holders)
    assert answer.retained == by_ordinal(graph, list(graph.retained))
    assert answer.dominators == expected_dominators(graph)


def test_the_leaking_list_is_the_largest_object_in_memlab(leak: list[Path], tmp_path: Path) -> None:
    _, target = converted(leak[2])

    text = memlab("analyze", "object-size", "--snapshot", target, work=tmp_path)

    largest = re.findall(r"· @\d+ (\S+): (\d+) edges", text)[0]
    assert largest == ("list", str(2 * LEAKED_A_ROUND))


@pytest.mark.long
def test_memlab_shapes_are_types_with_counts_and_referrers(leak: list[Path], tmp_path: Path) -> None:
    _, target = converted(leak[2])

    text = memlab("analyze", "shape", "--snapshot", target, work=tmp_path)

    assert re.search(rf"· {re.escape(REQUEST)}: \S+ \(N: {2 * LEAKED_A_ROUND},", text)
    assert f"· [list] --<numeric-element>-->: {2 * LEAKED_A_ROUND}" in text


def test_the_memlab_trace_goes_from_the_root_to_the_object(leak: list[Path], tmp_path: Path) -> None:
    graph, target = converted(leak[2])
    node = list(graph.type_of).index(graph.types.index(REQUEST))
    identity = object_ids(graph.places(), {0, *holder_ids(graph.holders)})[node]

    text = memlab("trace", "--snapshot", target, "--node-id", str(identity), work=tmp_path)

    steps = re.findall(r"\[([\w.()]+)\] \((?:object|synthetic)\)", text)
    assert (steps[:3], steps[-2:]) == (["(root)", "(modules)", "module"], ["list", REQUEST])


def test_memlab_finds_the_leak_in_three_snapshots(leak: list[Path], tmp_path: Path) -> None:
    baseline, target, final = (converted(path)[1] for path in leak)

    words = ("--baseline", baseline, "--target", target, "--final", final)
    text = memlab("find-leaks", "--trace-all-objects", *words, work=tmp_path)

    found = re.findall(r"'([^']+)'\s+│\s+'object'\s+│\s+(\d+)", text)
    assert (REQUEST, str(LEAKED_A_ROUND)) in found
