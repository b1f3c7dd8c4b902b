"""networkx: a graph of all visitors that only grows."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx

GRAPH = nx.DiGraph()


def main(snapshot: Callable[[], None]) -> None:
    for number in range(6000):
        if number == 1000:
            snapshot()
        GRAPH.add_edge(f"visitor-{number}", f"page-{number % 50}", at=number)
    snapshot()
