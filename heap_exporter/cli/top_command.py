"""Show which types fill a snapshot: their objects, their own bytes, and the bytes that would go with them.

    heap-exporter top b.heap
    heap-exporter top b.heap --by objects --limit 50

Shallow bytes are the objects' own (sys.getsizeof); retained bytes are what would be freed if all objects of the type
were gone. An object may be retained by several types, so retained bytes do not add up.
"""

from __future__ import annotations

import argparse

from heap_exporter.cli import files, screen

HELP = "show which types fill a snapshot"

ORDERS = {"retained": "retained_bytes", "shallow": "shallow_bytes", "objects": "objects"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("file", type=files.named, metavar="FILE", help="a snapshot (.heap)")
    parser.add_argument("--by", choices=ORDERS, default="retained", help="what to sort by (default: %(default)s)")
    screen.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the types, and return 0."""
    from heap_exporter.report import json_documents, text

    heap = screen.opened(arguments.file)
    order = ORDERS[arguments.by]
    rows = sorted(heap.types, key=lambda row: -getattr(row, order))[: arguments.limit]
    screen.show(arguments, json_documents.top(heap, rows), text.top(heap, rows))
    return 0
