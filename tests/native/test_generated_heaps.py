"""Generated heaps: created from recipes, walked, and compared object by object."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heap_exporter.heapfile.format import WEAK
from tests.native.conftest import REPOSITORY
from tests.native.graphs import Graph, read
from tests.native.recipes import MAKERS
from tests.processes.programs import next_json, program

CODE = """
    import gc, json, sys
    from pathlib import Path
    from tests.native.oracle import describe
    from tests.native.recipes import made
    from tests.heaps.walks import chosen, snapshot

    gc.disable()
    walker = chosen("native")
    for line in sys.stdin:
        heap = made(json.loads(line))
        snapshot(walker, Path("test.heap"))
        print(json.dumps([describe(found) for found in heap]), flush=True)
        del heap
        gc.collect()
"""

Ask = Callable[[Any], tuple[Graph, list[dict[str, Any]]]]

recipes = st.lists(
    st.tuples(st.sampled_from(sorted(MAKERS)), st.integers(0, 10_000), st.lists(st.integers(0, 30), max_size=6)),
    min_size=1,
    max_size=30,
)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """A program that creates heaps and walks them, one after the other."""
    folder = tmp_path_factory.mktemp("generated")
    with program(CODE, folder, PYTHONPATH=str(REPOSITORY)) as process:

        def answer(recipe: Any) -> tuple[Graph, list[dict[str, Any]]]:
            assert process.stdin is not None
            process.stdin.write(json.dumps(recipe) + "\n")
            process.stdin.flush()
            report = next_json(process)
            return read(folder / "test.heap"), report

        yield answer


@settings(max_examples=settings().max_examples // 2)  # each is a walk of a process
@given(recipe=recipes)
@example(recipe=[("partial", 0, [])])  # refers to the empty tuple, which is shared
def test_a_walk_finds_the_created_objects(ask: Ask, recipe: Any) -> None:
    graph, report = ask(recipe)

    for (kind, *_), wanted in zip(recipe, report, strict=True):
        node = graph.nodes[wanted["place"]]
        assert (kind, node.size_bytes) == (kind, wanted["bytes"])
        assert (kind, node.shape.type.place) == (kind, wanted["class"])
        weak = bool(node.shape.flags & WEAK)
        assert (kind, weak) == (kind, wanted["weak"])
        edges = graph.visited(node, wanted["edges"])
        if wanted["in_order"]:
            assert (kind, edges) == (kind, wanted["edges"])
        else:
            assert (kind, Counter(edges)) == (kind, Counter(wanted["edges"]))
        assert set(wanted["edges"]) <= set(graph.nodes), kind
