"""The code of Chrome DevTools reads a ``.heapsnapshot`` and computes the same numbers."""

import subprocess
import sys
from pathlib import Path

import pytest

from heap_exporter.analysis.graph import WEAK, Graph
from heap_exporter.analysis.summary import summarise
from tests.oracles import devtools_panel
from tests.oracles.answers import devtools, devtools_comparison
from tests.oracles.conversions import by_ordinal, converted, expected_dominators, ordinal
from tests.oracles.snapshots import LEAKED_A_ROUND, REQUEST

pytestmark = pytest.mark.usefixtures("oracles")


def objects_of(graph: Graph, type_name: str) -> list[int]:
    wanted = graph.types.index(type_name)
    return [node for node, number in enumerate(graph.type_of) if number == wanted]


def agrees(path: Path) -> None:
    graph, target = converted(path)

    answer = devtools(target)

    assert answer.values["problems"] == []
    assert (answer.nodes, answer.values["total"]) == (graph.objects + len(graph.holders), sum(graph.size))
    assert answer.retained == by_ordinal(graph, list(graph.retained))
    assert answer.dominators == expected_dominators(graph)
    rows = {row.type_name: [row.objects, row.shallow_bytes, row.retained_bytes] for row in summarise(graph).types}
    assert {name: numbers for name, *numbers in answer.values["classes"]} == rows


EVERY_KIND = """
import sys, warnings
from pathlib import Path
from heap_exporter.walker.fallback_walker import choose_walker
from tests.heaps.walks import snapshot
from tests.native.sample_objects import KINDS, plant
warnings.simplefilter("ignore")
held = plant(KINDS, 20)
snapshot(choose_walker("auto"), Path(sys.argv[1]))
"""


def test_retained_sizes_dominators_and_types_of_objects_of_every_kind_are_the_same_node_for_node(
    tmp_path: Path,
) -> None:
    path = tmp_path / "own.heap"
    subprocess.run([sys.executable, "-c", EVERY_KIND, path], cwd=Path(__file__).parents[3], check=True)

    agrees(path)


def test_retained_sizes_dominators_and_types_of_a_large_heap_are_the_same_node_for_node(large_heap: Path) -> None:
    agrees(large_heap)


def test_an_object_has_the_same_retainers_weak_ones_left_out(leak: list[Path]) -> None:
    graph, target = converted(leak[1])
    request = objects_of(graph, REQUEST)[0]
    referents = graph.targets[graph.offsets[request] : graph.offsets[request + 1]]
    (class_of_request,) = set(referents) & set(objects_of(graph, "type"))
    asked = {ordinal(graph, request): request, ordinal(graph, class_of_request): class_of_request}

    answer = devtools(target, asked)

    labels = graph.labels()
    for place, node in asked.items():
        retainers = sorted(
            ordinal(graph, holder)
            for holder in range(graph.objects)
            for slot in range(graph.offsets[holder], graph.offsets[holder + 1])
            if graph.targets[slot] == node and labels[slot] != WEAK
        )
        assert sorted(holder for _, _, holder, _ in answer.values["retainers"][str(place)]) == retainers
    ((kind, position, holder, name),) = answer.values["retainers"][str(ordinal(graph, request))]
    assert (kind, name) == ("element", "list")
    assert graph.targets[graph.offsets[holder - len(graph.holders)] + int(position)] == request


def test_the_comparison_of_two_snapshots_shows_what_leaked_between_them(leak: list[Path]) -> None:
    (_, first), (_, second), (_, third) = map(converted, leak)

    added, removed, growth = devtools_comparison(second, third)[REQUEST]

    assert (added, removed, growth) == (LEAKED_A_ROUND, 0, LEAKED_A_ROUND * 56)
    assert devtools_comparison(first, second)[REQUEST][:2] == (LEAKED_A_ROUND, 0)


def test_objects_in_both_snapshots_have_the_same_id(leak: list[Path]) -> None:
    (graph, second), (_, third) = map(converted, leak[1:])

    changes = devtools_comparison(second, third)

    deleted = sum(removed for _, removed, _ in changes.values())
    assert deleted < graph.objects / 1000


def test_the_panel_itself_opens_two_snapshots_and_compares_them(
    leak: list[Path], chromium: Path, chromedriver: Path
) -> None:
    files = [converted(path)[1] for path in leak[1:]]

    with devtools_panel.opened(chromium, chromedriver) as (memory, _):
        memory.load(files)
        memory.compare()

        assert memory.row(REQUEST)[:4] == [REQUEST, str(LEAKED_A_ROUND), "0", f"+{LEAKED_A_ROUND}"]
        assert "inlist@" in memory.container(REQUEST)
