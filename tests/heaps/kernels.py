"""The kernels of the analysis that are installed here, by name; tests run with each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from heap_exporter.analysis.graph import EMPTY, Graph
from heap_exporter.analysis.portable import load as load_portably
from heap_exporter.analysis.results import ProgressCallback, ignore_progress


class Load(Protocol):
    """Returns the graph of a file, like :func:`heap_exporter.analysis.graph.load`."""

    def __call__(self, path: Path, progress: ProgressCallback = ignore_progress) -> Graph: ...


KERNELS: dict[str, Load] = {"portable": load_portably}
try:
    from heap_exporter.analysis.native_graph import load as load_natively
except ImportError:
    """The kernel in C was not built here."""
else:
    KERNELS["native"] = load_natively

_VALUES = (
    "path", "header", "footer", "objects", "references", "unknown_references", "strings", "types", "holders",
    "root_edges",
)  # fmt: skip  # a list
_ARRAYS = (
    "type_of", "size", "offsets", "targets", "idom", "retained", "group", "group_parent", "group_label", "group_type",
    "group_objects", "group_shallow",
)  # fmt: skip  # a list


def assert_same(first: Graph, second: Graph) -> None:
    """Assert that two graphs are the same in every number."""
    for name in _VALUES:
        assert getattr(first, name) == getattr(second, name), name
    for name in _ARRAYS:
        left, right = getattr(first, name), getattr(second, name)
        assert (left.format, left.itemsize, left.tobytes()) == (right.format, right.itemsize, right.tobytes()), name
    assert first.places() == second.places()
    assert labels_of_edges(first) == labels_of_edges(second)


def labels_of_edges(graph: Graph) -> list[int]:
    """Return the labels of the edges, without those of empty slots."""
    return [label for label, target in zip(graph.labels(), graph.targets, strict=True) if target != EMPTY]
