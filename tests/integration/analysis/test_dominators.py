"""igraph finds the same dominators, node for node."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.heaps.kernels import KERNELS

REPOSITORY = Path(__file__).parents[3]

WRITE = """
import os, sys
from pathlib import Path
from tests.bench.heap import build
from tests.heaps.walks import choose_walker, snapshot
held = build(int(sys.argv[2]))
snapshot(choose_walker("auto", keys=False), Path(sys.argv[1]))
os._exit(0)  # skip the slow deallocation of such a heap
"""

COMPARE = """
import sys
from pathlib import Path
import igraph
import numpy
from heap_exporter.analysis.native_graph import load

EMPTY, WEAK = 0xFFFFFFFF, 4
graph = load(Path(sys.argv[1]))
nodes = graph.objects + len(graph.holders)
targets, labels = numpy.array(graph.targets), numpy.array(graph.labels())
sources = numpy.repeat(numpy.arange(graph.objects), numpy.diff(numpy.array(graph.offsets)))
strong = (targets != EMPTY) & (labels != WEAK)
edges = numpy.stack([sources[strong], targets[strong]], axis=1).tolist()
edges += [(graph.objects + holder, target) for holder, target, _ in graph.root_edges]
edges += [(graph.objects + holder.parent, graph.objects + i) for i, holder in enumerate(graph.holders) if i]

theirs = igraph.Graph(n=nodes, edges=edges, directed=True).dominator(graph.objects, mode="out")
theirs[graph.objects] = graph.objects
assert theirs == list(graph.idom), "other dominators"

children = [[] for _ in range(nodes)]
for node, dominator in enumerate(theirs):
    if node != dominator:
        children[dominator].append(node)
order = [graph.objects]
for node in order:
    order += children[node]
retained = list(graph.size) + [0] * len(graph.holders)
for node in reversed(order[1:]):
    retained[theirs[node]] += retained[node]
assert retained == list(graph.retained), "other retained sizes"
print(graph.objects, "objects,", graph.references, "references")
"""


def run(program: str, *arguments: str | Path) -> str:
    """Run a program in its own process; return its output."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif("native" not in KERNELS, reason="the kernel in C was not built here, and the other takes minutes")
@pytest.mark.parametrize("tracked", [50_000, pytest.param(350_000, marks=pytest.mark.long)])
def test_igraph_finds_the_same_dominators_and_retained_sizes_for_every_object(tmp_path: Path, tracked: int) -> None:
    run(WRITE, tmp_path / "a.heap", str(tracked))
    printed = run(COMPARE, tmp_path / "a.heap")

    assert int(printed.split()[0]) > 2.8 * tracked  # a tracked object has two more that the collector does not track
