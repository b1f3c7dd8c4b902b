"""Show what a snapshot contains: when and of which process it was taken, how many objects, and how they are held.

    heap-exporter info b.heap

It reads every snapshot, also a census: the object counts that are written where memory or disk is short for a graph.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from heap_exporter.analysis import Holding, TypeRow
from heap_exporter.cli import files, screen
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.heapfile.reader import SnapshotReader
from heap_exporter.heapfile.records import CountRecord

HELP = "show what a snapshot contains"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("file", type=files.input_path, metavar="FILE", help="a snapshot (.heap)")
    screen.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the header of a snapshot and its totals, and return the exit code 0 of the command."""
    from heap_exporter.report import json_documents, text

    path = arguments.file
    with SnapshotReader(path) as reader:
        header = reader.header
        types, footer = _census(reader) if header.content == "census" else ([], None)
    heap = None if footer else screen.open_snapshot(path)
    if heap is None:
        assert footer is not None
        holdings: Sequence[Holding] = ()
    else:  # the footer also counts references to objects that are not in the file
        footer, holdings = replace(heap.footer, references=heap.references), heap.holdings
    limit = arguments.limit
    screen.print_result(
        arguments,
        json_documents.info(path, header, footer, holdings=holdings, types=types[:limit]),
        text.info(path.name, _with_threads(header, limit), footer, holdings=holdings, types=types, limit=limit),
    )
    return 0


def _with_threads(header: Header, limit: int) -> Header:
    """Return the header with the names of ``limit`` threads, and the number of the others as the last name."""
    more = len(header.threads) - limit
    if more <= 0:
        return header
    return replace(header, threads={**dict(islice(header.threads.items(), limit)), -1: f"and {more:,} more"})


def _census(reader: SnapshotReader) -> tuple[list[TypeRow], Footer]:
    rows = [
        TypeRow(record.type.name, record.objects, record.size_bytes, 0)
        for record in reader.records()
        if isinstance(record, CountRecord)
    ]
    return sorted(rows, key=lambda row: -row.shallow_bytes), reader.footer
