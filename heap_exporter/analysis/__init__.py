"""What a snapshot says: what there is, who holds it, what grew. Offline, in a process of its own, without numpy.

A file becomes a graph (:mod:`.graph`), a graph a :class:`Heap` (:mod:`.heap`), and two heaps a :class:`Diff`
(:mod:`.diff`)::

    from heap_exporter import analysis

    before, after = analysis.open("a.heap"), analysis.open("b.heap")
    for suspect in analysis.compare(before, after).suspects:
        print(suspect.type_name, suspect.holder, suspect.total_bytes.growth)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from heap_exporter.analysis.results import (
    Change,
    Diff,
    Group,
    Heap,
    Holding,
    PathChange,
    ProgressCallback,
    Suspect,
    TypeChange,
    TypeRow,
    silent,
)

if TYPE_CHECKING:
    from heap_exporter.analysis.graph import Graph

__all__ = [
    "Change",
    "Diff",
    "Group",
    "Heap",
    "Holding",
    "PathChange",
    "ProgressCallback",
    "Suspect",
    "TypeChange",
    "TypeRow",
    "compare",
    "load",
    "open",
    "silent",
]


def open(path: str | os.PathLike[str], progress: ProgressCallback = silent) -> Heap:  # noqa: A001 - a file is opened
    """Return the summary of a snapshot file. Raises :class:`~heap_exporter.errors.SnapshotFileError`."""
    from heap_exporter.analysis.summary import summarise

    return summarise(load(path, progress), progress)


def load(path: str | os.PathLike[str], progress: ProgressCallback = silent) -> Graph:
    """Return the whole graph of a snapshot file. Raises :class:`~heap_exporter.errors.SnapshotFileError`."""
    from heap_exporter.analysis import graph

    return graph.load(Path(path), progress)


def compare(before: Heap, after: Heap) -> Diff:
    """Return what changed between two snapshots, and the suspects."""
    from heap_exporter.analysis import diff

    return diff.compare(before, after)
