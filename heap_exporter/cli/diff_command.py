"""Show what changed from one snapshot to another: what grew, is new or is gone, by path and by type.

    heap-exporter diff a.heap b.heap

Objects are matched by how they are held and by their type, not by their address, so the two may be of different
processes; what that does to the figures is said above them. For what the growth means, see `heap-exporter report`.
"""

from __future__ import annotations

import argparse

from heap_exporter import analysis
from heap_exporter.cli import files, screen

HELP = "show what changed between two snapshots"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("before", type=files.named, metavar="A", help="the earlier snapshot (.heap)")
    parser.add_argument("after", type=files.named, metavar="B", help="the later one")
    screen.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the changes, and return 0 whatever they are."""
    from heap_exporter.report import json_documents, text

    found = analysis.compare(screen.opened(arguments.before), screen.opened(arguments.after))
    screen.show(arguments, json_documents.diff(found, arguments.limit), text.diff(found, arguments.limit))
    return 0
