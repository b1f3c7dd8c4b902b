"""The tables of :mod:`heap_exporter.report.parquet`: their columns, and their rows as Arrow record batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import compute
from pyarrow.parquet import ParquetWriter

from heap_exporter.analysis.graph import EMPTY, GARBAGE, ITEM, KEY, NAMED, OUTSIDE, REFERENT, VALUE, WEAK, Graph
from heap_exporter.analysis.path_tree import PathTree
from heap_exporter.analysis.results import Heap, ProgressCallback, ignore_progress
from heap_exporter.report.path_text import HOLDING_NAMES, path_to_group, step_text
from heap_exporter.runtime.formatting import in_calendar

TEXT, NUMBER = pa.string(), pa.int64()
"""Numbers are signed: Spark reads unsigned ones as decimals."""

IDENTITY = {
    "snapshot_id": TEXT, "taken_at": pa.timestamp("us", "UTC"), "pid": NUMBER, "uptime_seconds": pa.float64(),
    "python_version": TEXT, "implementation": TEXT, "reason": TEXT, "file": TEXT,
}  # fmt: skip  # a list
"""The first columns of each table: they identify the snapshot."""

COUNTS = {"objects": NUMBER, "shallow_bytes": NUMBER, "retained_bytes": NUMBER}

COLUMNS = {
    "types": {"type_name": TEXT, **COUNTS},
    "paths": {
        "path_id": NUMBER, "parent_id": NUMBER, "step": TEXT, "path": TEXT, "type_name": TEXT, "holding": TEXT,
        **COUNTS, "total_bytes": NUMBER,
    },
    "nodes": {
        "node": NUMBER, "kind": TEXT, "type_name": TEXT, "name": TEXT, "address": NUMBER, "size_bytes": NUMBER,
        "retained_bytes": NUMBER, "dominator": NUMBER, "path_id": NUMBER,
    },
    "edges": {"source": NUMBER, "target": NUMBER, "kind": TEXT, "name": TEXT},
}  # fmt: skip  # tables

SCHEMAS = {table: pa.schema(list({**IDENTITY, **columns}.items())) for table, columns in COLUMNS.items()}

ROWS_AT_ONCE = 1 << 18
"""Rows of a row group."""

_KINDS = {REFERENT: "referent", ITEM: "item", KEY: "key", VALUE: "value", WEAK: "weak", NAMED: "name"}
_BYTES_A_PLACE = 16

Columns = dict[str, Any]
"""The columns of a row group: Arrow arrays, lists, or one value for all rows."""


def write(graph: Graph, heap: Heap, target: Path, name: str, progress: ProgressCallback) -> None:
    """Write a Parquet file of that name for each table into the folder ``target``, created if its parent exists.

    May raise ``OSError``, and ``OverflowError`` or ``ValueError`` for a number that is too large for its column.
    """
    target.mkdir(exist_ok=True)
    for table, schema in SCHEMAS.items():
        (target / table).mkdir(exist_ok=True)
        texts = [field.name for field in schema if field.type == TEXT]
        with ParquetWriter(target / table / name, schema, compression="zstd", use_dictionary=texts) as out:
            for batch in _batches(table, graph, heap, progress):
                out.write_batch(batch)


def _batches(table: str, graph: Graph, heap: Heap, progress: ProgressCallback) -> Iterator[pa.RecordBatch]:
    header = heap.header
    identity = {
        **{name: getattr(header, name, None) for name in IDENTITY},
        "snapshot_id": header.id,
        "taken_at": datetime.fromtimestamp(in_calendar(header.taken_at), UTC),
        "file": heap.path.name,
    }
    pieces = {
        "types": lambda: _types(heap),
        "paths": lambda: _paths(heap),
        "nodes": lambda: _nodes(graph, progress),
        "edges": lambda: _edges(graph, progress),
    }[table]()
    for rows, columns in pieces:
        arrays = [_column({**identity, **columns}[field.name], field.type, rows) for field in SCHEMAS[table]]
        yield pa.record_batch(arrays, schema=SCHEMAS[table])


def _column(values: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if isinstance(values, pa.Array):
        return values.cast(kind, safe=False)
    return pa.array(values, kind) if isinstance(values, list) else pa.repeat(pa.scalar(values, kind), rows)


def _types(heap: Heap) -> Iterator[tuple[int, Columns]]:
    yield len(heap.types), {name: [getattr(row, name) for row in heap.types] for name in COLUMNS["types"]}


def _paths(heap: Heap) -> Iterator[tuple[int, Columns]]:
    holdings = _holdings(heap)
    for begin, end in _ranges(len(heap.groups), "", ignore_progress):
        groups = heap.groups[begin:end]
        yield (
            len(groups),
            {
                "path_id": list(range(begin, end)),
                "parent_id": [group.parent if group.parent >= 0 else None for group in groups],
                "step": [step_text(group.step) for group in groups],
                "path": [path_to_group(heap, number) for number in range(begin, end)],
                "type_name": [group.type_name or None for group in groups],
                "holding": holdings[begin:end],
                **{name: [getattr(group, name) for group in groups] for name in (*COUNTS, "total_bytes")},
            },
        )


def _holdings(heap: Heap) -> list[str]:
    """Return the Parquet column of holdings: each group is reachable, held from outside, or garbage."""
    reachable, outside, garbage = (HOLDING_NAMES[holding.kind] for holding in heap.holdings)
    holdings: list[str] = []
    for number, group in enumerate(heap.groups):
        above = holdings[group.parent] if group.parent > 0 else reachable
        holdings.append({OUTSIDE: outside, GARBAGE: garbage}.get(number, above))
    return holdings


def _nodes(graph: Graph, progress: ProgressCallback) -> Iterator[tuple[int, Columns]]:
    """Yield the objects, then the holders, as rows of the Parquet table."""
    path_of_group = PathTree(graph).group_of_raw
    types = pa.array(graph.types, TEXT)
    everything = (
        graph.type_of, graph.places(), graph.size, graph.retained, graph.idom, graph.regroup(memoryview(path_of_group)),
    )  # fmt: skip  # a list
    for begin, end in _ranges(graph.objects, "writing nodes", progress):
        type_of, places, sizes, retained, dominators, paths = (_array(column[begin:end]) for column in everything)
        columns = {
            "node": list(range(begin, end)),
            "kind": "object",
            "type_name": types.take(type_of),
            "name": None,
            "address": compute.multiply(places, _BYTES_A_PLACE),
            "size_bytes": sizes,
            "retained_bytes": retained,
            "dominator": dominators,
            "path_id": paths,
        }
        yield end - begin, columns
    holders = len(graph.holders)
    columns = {
        "node": list(range(graph.objects, graph.objects + holders)),
        "kind": [holder.kind for holder in graph.holders],
        "type_name": None,
        "name": [holder.name or None for holder in graph.holders],
        "address": None,
        "size_bytes": 0,
        "retained_bytes": list(graph.retained[graph.objects :]),
        "dominator": [None, *graph.idom[graph.objects + 1 :]],
        "path_id": list(path_of_group[:holders]),
    }
    yield holders, columns


def _edges(graph: Graph, progress: ProgressCallback) -> Iterator[tuple[int, Columns]]:
    """Yield the edges of the objects, then those of the holders, as rows of the Parquet table."""
    kinds = pa.array([_KINDS.get(label) for label in range(NAMED + 1)], TEXT)
    names = pa.array([*[None] * NAMED, *graph.strings], TEXT)

    def piece(sources: pa.Array, targets: pa.Array, labels: pa.Array) -> tuple[int, Columns]:
        kind = kinds.take(compute.min_element_wise(labels, NAMED))
        return len(sources), {"source": sources, "target": targets, "kind": kind, "name": names.take(labels)}

    slots = pa.LargeListArray.from_arrays(_array(graph.offsets).cast(NUMBER), pa.nulls(len(graph.targets)))
    sources, labels = compute.list_parent_indices(slots), graph.labels()
    for begin, end in _ranges(len(graph.targets), "writing edges", progress):
        targets = _array(graph.targets[begin:end])
        known = compute.not_equal(targets, pa.scalar(EMPTY, pa.uint32()))
        columns = (sources[begin:end], targets, _array(labels[begin:end]))
        yield piece(*(column.filter(known) for column in columns))
    below = [(holder.parent, graph.objects + number, REFERENT) for number, holder in enumerate(graph.holders)][1:]
    holders, held, roots = zip(*below, *graph.root_edges, strict=True)
    yield piece(pa.array([graph.objects + holder for holder in holders]), pa.array(held), pa.array(roots))


def _array(values: memoryview[int]) -> pa.Array:
    """Return numbers as an Arrow array for the Parquet file, without copying them."""
    kind = {"I": pa.uint32(), "Q": pa.uint64()}[values.format]
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def _ranges(length: int, stage: str, progress: ProgressCallback) -> Iterator[tuple[int, int]]:
    for begin in range(0, length, ROWS_AT_ONCE):
        end = min(begin + ROWS_AT_ONCE, length)
        yield begin, end
        progress(stage, end / length)
