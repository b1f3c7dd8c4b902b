"""Show what leaks and what holds it. Of a single snapshot, show what holds the memory.

    heap-exporter report a.heap b.heap               the suspects, then the tables of growth
    heap-exporter report a.heap b.heap -o leak.html  one HTML page to send: suspects, flame graph, tables
    heap-exporter report b.heap                      what holds the memory of one snapshot

Each suspect has three lines: what grows and how fast, where it is held, and what to do. --verbose adds the numbers
behind it and the fingerprint, which is the same for the same leak in every process. The page loads nothing from the
network. It has names, counts and sizes, and no values.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from heap_exporter import analysis
from heap_exporter.analysis import Diff, Heap
from heap_exporter.cli import files, screen

HELP = "show what leaks and what holds it"

LIMIT = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("before", type=files.input_path, metavar="A", help="a snapshot (.heap)")
    parser.add_argument(
        "after", type=files.input_path, nargs="?", metavar="B", help="a later snapshot, to see what grew"
    )
    parser.add_argument(
        "-o", "--output", type=files.output_path, metavar="OUT.html", help="write an HTML page to this file"
    )
    screen.add_arguments(parser)
    screen.add_verbose(parser, "the path, the numbers and the fingerprint of each suspect")
    parser.set_defaults(limit=LIMIT)


def run(arguments: argparse.Namespace) -> int:
    """Print the report or write the HTML page, and return the exit code 0 of the command, leak or not."""
    if arguments.output:
        files.refuse_overwriting(arguments.output, *filter(None, (arguments.before, arguments.after)))
    result = _result(arguments)
    summary = _write(result, arguments.output) if arguments.output else None
    if summary and not arguments.json:
        screen.print_line(summary)
        return 0
    from heap_exporter.report import json_documents, text

    limit = arguments.limit
    drawn = text.report(result, limit, verbose=arguments.verbose)
    screen.print_result(arguments, json_documents.report(result, limit), drawn)
    return 0


def _result(arguments: argparse.Namespace) -> Heap | Diff:
    heap = screen.open_snapshot(arguments.before)
    return analysis.compare(heap, screen.open_snapshot(arguments.after)) if arguments.after else heap


def _write(result: Heap | Diff, output: Path) -> str:
    from heap_exporter.report import html
    from heap_exporter.report.finding_text import comparison_text

    written = files.write_text(output, html.render(result))
    return f"{comparison_text(result).replace('`', '')}\n{written}" if isinstance(result, Diff) else written
