"""The graph and its summary as Parquet: tables for DuckDB, Spark, Athena; ``docs/queries.md`` tells what to ask.

The target is a folder with a folder for each table, ``nodes``, ``edges``, ``types`` and ``paths``, and in each of these
a file named after the snapshot. So many snapshots can be written into one folder, or be copied below one prefix of an
object store, and be queried as one: each row begins with what tells the snapshot.
"""

from __future__ import annotations

import re
from pathlib import Path

from heap_exporter.analysis.graph import Graph
from heap_exporter.analysis.results import Heap, Progress, silent
from heap_exporter.errors import HeapExporterError

SUFFIX = ".parquet"


def write(graph: Graph, heap: Heap, target: Path, progress: Progress = silent) -> None:
    """Write the four tables into the folder ``target``. May raise ``OSError``.

    Raises :class:`~heap_exporter.errors.HeapExporterError` where pyarrow is not installed, and where an altered file
    claims numbers that Parquet cannot hold.
    """
    try:
        from heap_exporter.report import parquet_tables
    except ImportError as error:
        raise HeapExporterError("Parquet needs pyarrow: pip install 'heap-exporter[parquet]'") from error
    name = heap.header.id if re.fullmatch(r"[\w-]+", heap.header.id) else heap.path.stem
    try:
        parquet_tables.write(graph, heap, target, f"{name}.parquet", progress)
    except (OverflowError, ValueError) as error:
        raise HeapExporterError(f"{heap.path} cannot be written as Parquet: {error}") from error
