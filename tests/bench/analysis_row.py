"""Measures one tool on one snapshot: a row of the table of :mod:`tests.bench.analysis`, as JSON.

`make` builds a heap and takes two snapshots of it, the second with a twentieth more; `convert` writes what the other
tools read. `native` and `portable` compute the retained sizes, `igraph` the dominators.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def make(tracked: str, before: str, after: str) -> Row:
    """Write two snapshots of a heap with ``tracked`` gc-tracked objects."""
    from heap_exporter.walker.fallback_walker import choose_walker
    from tests.bench.heap import build
    from tests.heaps.walks import snapshot

    walker = choose_walker("native")
    held = build(int(int(tracked) * 0.95))
    snapshot(walker, Path(before))
    held += build(int(int(tracked) * 0.05), seed=2)
    gc.collect()
    walk = snapshot(walker, Path(after))
    return {"objects": walk.objects, "references": walk.references}


def convert(path: str, target: str, edges: str) -> Row:
    """Write the ``.heapsnapshot`` of a snapshot, and for igraph the sources and the targets of its strong edges."""
    import numpy as np

    from heap_exporter import analysis
    from heap_exporter.analysis.graph import EMPTY, WEAK
    from heap_exporter.analysis.summary import summarise
    from heap_exporter.report import heapsnapshot

    graph = analysis.load(path)
    heap = summarise(graph)
    began = time.perf_counter()
    heapsnapshot.write(graph, heap, Path(target))
    seconds = time.perf_counter() - began
    targets, labels = np.array(graph.targets), np.array(graph.labels())
    sources = np.repeat(np.arange(graph.objects), np.diff(np.array(graph.offsets)))
    strong = (targets != EMPTY) & (labels != WEAK)
    below = [(holder.parent, graph.objects + number) for number, holder in enumerate(graph.holders) if number]
    held = np.array([*below, *((holder, target) for holder, target, _ in graph.root_edges)], np.int64)
    held[:, 0] += graph.objects
    counts = np.array([[graph.objects, len(graph.holders)]], np.int64)
    pairs = np.stack([sources[strong], targets[strong]], axis=1)
    np.concatenate([counts, held, pairs], dtype=np.int64).tofile(edges)
    return {"seconds": seconds}


def native(path: str) -> Row:
    """Read a snapshot and compute all retained sizes with the kernel in C."""
    from heap_exporter.analysis.native_graph import load

    began = time.perf_counter()
    graph = load(Path(path))
    return {"seconds": time.perf_counter() - began, "total": graph.retained[graph.objects]}


def portable(path: str) -> Row:
    """Read a snapshot and compute all retained sizes in Python."""
    from heap_exporter.analysis.portable import load

    began = time.perf_counter()
    graph = load(Path(path))
    return {"seconds": time.perf_counter() - began, "total": graph.retained[graph.objects]}


def igraph(path: str) -> Row:
    """Build a graph of edges that are already in memory, and compute the dominators."""
    import igraph as library
    import numpy as np

    numbers = np.fromfile(path, np.int64).reshape(-1, 2)
    (objects, holders), pairs = numbers[0].tolist(), numbers[1:]
    began = time.perf_counter()
    graph = library.Graph(objects + holders, pairs, directed=True)
    dominators = graph.dominator(objects)
    return {"seconds": time.perf_counter() - began, "nodes": len(dominators)}


VERBS: dict[str, Callable[..., Row]] = {verb.__name__: verb for verb in (make, convert, native, portable, igraph)}


def main() -> None:
    """Run the step that the command line names, and print the row."""
    verb, *words = sys.argv[1:]
    print(json.dumps(VERBS[verb](*words)), flush=True)
    os._exit(0)  # the measurement excludes the deallocation of a large graph


if __name__ == "__main__":
    main()
