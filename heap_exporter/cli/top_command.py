"""Show the types that use the most memory: number of objects, shallow bytes, retained bytes.

    heap-exporter top b.heap
    heap-exporter top b.heap --by objects --limit 50

Shallow bytes are the objects' own size (sys.getsizeof). Retained bytes are what Python would free if all objects of the
type were freed. Several types can retain the same object, so the sum of retained bytes has no meaning.
"""

from __future__ import annotations

import argparse

from heap_exporter.cli import files, screen

HELP = "show the types that use the most memory in a snapshot"

ORDERS = {"retained": "retained_bytes", "shallow": "shallow_bytes", "objects": "objects"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("file", type=files.input_path, metavar="FILE", help="a snapshot (.heap)")
    parser.add_argument("--by", choices=ORDERS, default="retained", help="what to sort by (default: %(default)s)")
    screen.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the largest types of a snapshot, and return the exit code 0 of the command."""
    from heap_exporter.report import json_documents, text

    heap = screen.open_snapshot(arguments.file)
    order = ORDERS[arguments.by]
    rows = sorted(heap.types, key=lambda row: -getattr(row, order))[: arguments.limit]
    screen.print_result(arguments, json_documents.top(heap, rows), text.top(heap, rows))
    return 0
