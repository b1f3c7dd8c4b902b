"""The graph and its summary as Parquet tables for DuckDB, Spark and Athena; ``docs/queries.md`` has queries.

The target is a folder with one folder for each table: ``nodes``, ``edges``, ``types`` and ``paths``. Each has one file
for each snapshot. Several snapshots in one folder, or below one prefix of an object store, are one data set: the first
columns of each row identify the snapshot.
"""

from __future__ import annotations

import re
from pathlib import Path

from heap_exporter.analysis.graph import Graph
from heap_exporter.analysis.results import Heap, ProgressCallback, ignore_progress
from heap_exporter.errors import HeapExporterError, MissingExtra

SUFFIX = ".parquet"


def write(graph: Graph, heap: Heap, target: Path, progress: ProgressCallback = ignore_progress) -> None:
    """Write a snapshot as four Parquet tables into the folder ``target``. May raise ``OSError``.

    Raises :class:`~heap_exporter.errors.MissingExtra` if pyarrow is not installed, and
    :class:`~heap_exporter.errors.HeapExporterError` if a damaged file has numbers that Parquet cannot store.
    """
    try:
        from heap_exporter.report import parquet_tables
    except ImportError as error:
        raise MissingExtra(f"Parquet needs pyarrow ({error})", "parquet") from error
    name = heap.header.id if re.fullmatch(r"[\w-]+", heap.header.id) else heap.path.stem
    try:
        parquet_tables.write(graph, heap, target, f"{name}.parquet", progress)
    except (OverflowError, ValueError) as error:
        raise HeapExporterError(f"{heap.path} cannot be written as Parquet: {error}") from error
