"""Show what changed between two snapshots: what grew, shrank, is new or is gone, by path and by type.

    heap-exporter diff a.heap b.heap

Objects are matched by their type and the path to them, not by address, so the snapshots may be of two processes. A note
above the tables says when a difference is not growth. `heap-exporter report` shows which growth is a leak.
"""

from __future__ import annotations

import argparse

from heap_exporter import analysis
from heap_exporter.cli import files, screen

HELP = "show what changed between two snapshots"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("before", type=files.input_path, metavar="A", help="the earlier snapshot (.heap)")
    parser.add_argument("after", type=files.input_path, metavar="B", help="the later snapshot (.heap)")
    screen.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what changed between two snapshots, and return the exit code 0 of the command."""
    from heap_exporter.report import json_documents, text

    diff = analysis.compare(screen.open_snapshot(arguments.before), screen.open_snapshot(arguments.after))
    screen.print_result(arguments, json_documents.diff(diff, arguments.limit), text.diff(diff, arguments.limit))
    return 0
