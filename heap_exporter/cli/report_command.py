"""Say who leaks: of two snapshots the suspects with their holders, of one where its bytes are.

    heap-exporter report a.heap b.heap               suspects first, on the terminal
    heap-exporter report a.heap b.heap -o leak.html  one page to send: flame graph, growth, types
    heap-exporter report b.heap                      who holds the memory, without growth

A suspect has a fingerprint that is the same for the same leak in another process, on another machine, on another day.
The page loads nothing from anywhere and holds names, counts and sizes, never a value.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from heap_exporter import analysis
from heap_exporter.analysis import Diff, Heap
from heap_exporter.cli import files, screen

HELP = "say what leaks and who holds it"

LIMIT = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("before", type=files.named, metavar="A", help="a snapshot (.heap)")
    parser.add_argument("after", type=files.named, nargs="?", metavar="B", help="a later one, to see what grew")
    parser.add_argument(
        "-o", "--output", type=files.named_output, metavar="OUT.html", help="write a page instead of printing"
    )
    screen.add_arguments(parser)
    parser.set_defaults(limit=LIMIT)


def run(arguments: argparse.Namespace) -> int:
    """Print the report or write the page, and return 0 whether something leaks or not."""
    if arguments.output:
        files.spare(arguments.output, *filter(None, (arguments.before, arguments.after)))
    found = _found(arguments)
    said = _write(found, arguments.output) if arguments.output else None
    if said and not arguments.json:
        screen.say(said)
        return 0
    from heap_exporter.report import json_documents, text

    screen.show(arguments, json_documents.report(found, arguments.limit), text.report(found, arguments.limit))
    return 0


def _found(arguments: argparse.Namespace) -> Heap | Diff:
    heap = screen.opened(arguments.before)
    return analysis.compare(heap, screen.opened(arguments.after)) if arguments.after else heap


def _write(found: Heap | Diff, output: Path) -> str:
    from heap_exporter.report import html

    said = files.written(output, html.render(found))
    return f"{found.verdict.replace('`', '')}\n{said}" if isinstance(found, Diff) else said
