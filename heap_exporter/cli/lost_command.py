"""Show the memory that C code lost between two snapshots: references not released, memory not freed.

    heap-exporter lost a.heap b.heap

No pointer in the process leads to such memory, so no other report shows it. Whenever a service takes a snapshot, it
searches for lost memory (HEAP_EXPORTER_LOST). Only what grew between the two snapshots of one process counts.
"""

from __future__ import annotations

import argparse

from heap_exporter.cli import files, screen
from heap_exporter.errors import NothingToCompare
from heap_exporter.heapfile.format import read_header
from heap_exporter.heapfile.recorded_lost import lost_between

HELP = "show the memory that C code lost between two snapshots"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("before", type=files.input_path, metavar="A", help="the earlier snapshot (.heap)")
    parser.add_argument("after", type=files.input_path, metavar="B", help="the later snapshot (.heap)")
    screen.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what was lost between two snapshots, and return the exit code 0 of the command.

    Raises :class:`NothingToCompare` if lost memory was not searched for.
    """
    from heap_exporter.report import json_documents, text

    before, after = read_header(arguments.before), read_header(arguments.after)
    if before.pid != after.pid:
        raise NothingToCompare("the two snapshots are of different processes: take both in the same process")
    grown = lost_between(before, after)
    if grown is None:
        raise NothingToCompare(
            "the service did not search for lost memory at both snapshots: the search needs the native walker, "
            "HEAP_EXPORTER_LOST=true, and less memory in RAM than HEAP_EXPORTER_LOST_MAX"
        )
    limit = arguments.limit
    screen.print_result(arguments, json_documents.lost(before, after, grown), text.lost(before, after, grown, limit))
    return 0
