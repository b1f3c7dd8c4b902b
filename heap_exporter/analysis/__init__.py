"""The analysis of snapshot files: objects by type and by retainer path, and the growth between two snapshots.

It runs outside of the service and needs no numpy. A file becomes a graph (:mod:`.graph`), a graph a :class:`Heap`
(:mod:`.summary`), and two heaps a :class:`Diff` (:mod:`.diff`)::

    from heap_exporter import analysis
    from heap_exporter.report.path_text import path_text

    before, after = analysis.open("a.heap"), analysis.open("b.heap")
    for suspect in analysis.compare(before, after).suspects:
        print(suspect.type_name, path_text(suspect.holder), suspect.total_bytes.growth)
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
    ignore_progress,
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
    "ignore_progress",
    "load",
    "open",
]


def open(path: str | os.PathLike[str], progress: ProgressCallback = ignore_progress) -> Heap:  # noqa: A001 - it opens a file
    """Return the types and the retainer paths of a snapshot's objects.

    Raises :class:`~heap_exporter.errors.SnapshotFileError`.
    """
    from heap_exporter.analysis.summary import summarise

    return summarise(load(path, progress), progress)


def load(path: str | os.PathLike[str], progress: ProgressCallback = ignore_progress) -> Graph:
    """Return the whole object graph of a snapshot, with its dominators.

    Raises :class:`~heap_exporter.errors.SnapshotFileError`.
    """
    from heap_exporter.analysis import graph

    return graph.load(Path(path), progress)


def compare(before: Heap, after: Heap) -> Diff:
    """Return what grew between two snapshots, and the suspects: the places where objects accumulate."""
    from heap_exporter.analysis import diff

    return diff.compare(before, after)
