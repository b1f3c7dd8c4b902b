"""A graph and its ``.heapsnapshot``: which ordinal is which node, and the expected results of the tools."""

from __future__ import annotations

from pathlib import Path

from heap_exporter import analysis
from heap_exporter.analysis.graph import Graph
from heap_exporter.analysis.summary import summarise
from heap_exporter.report import heapsnapshot


def converted(path: Path) -> tuple[Graph, Path]:
    """Return the graph of a snapshot file, and the ``.heapsnapshot`` that is written next to the file."""
    graph = analysis.load(path)
    target = path.with_suffix(heapsnapshot.SUFFIX)
    heapsnapshot.write(graph, summarise(graph), target)
    return graph, target


def by_ordinal(graph: Graph, values: list[int]) -> list[int]:
    """Return values of nodes in the order of the file: holders first."""
    return values[graph.objects :] + values[: graph.objects]


def ordinal(graph: Graph, node: int) -> int:
    """Return where a node of the graph is in the file."""
    return node - graph.objects if node >= graph.objects else node + len(graph.holders)


def expected_dominators(graph: Graph) -> list[int]:
    """Return the ordinal of each node's dominator, in the order of the file."""
    return [ordinal(graph, node) for node in by_ordinal(graph, list(graph.idom))]
