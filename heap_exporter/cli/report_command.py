"""Show what leaks and what holds it. Of a single snapshot, show what holds the memory.

    heap-exporter report                       the two newest snapshots of a process in the default folder
    heap-exporter report /var/lib/shop/heap    the same in another folder
    heap-exporter report a.heap b.heap         two snapshots: the suspects, then the tables of growth
    heap-exporter report -o leak.html          one HTML page to send: suspects, flame graph, tables
    heap-exporter report b.heap                what holds the memory of one snapshot

Each suspect has three lines: what grows and how fast, where it is held, and what to do. --verbose adds the numbers
behind it and the fingerprint, which is the same for the same leak in every process. The page loads nothing from the
network. It has names, counts and sizes, and no values.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from heap_exporter import analysis
from heap_exporter.analysis import Diff, Heap
from heap_exporter.cli import files, screen
from heap_exporter.cli.snapshot_folder import DEFAULT, listed
from heap_exporter.errors import HeapExporterError, NothingToCompare
from heap_exporter.snapshot.folder_listing import newest_pair

HELP = "show what leaks and what holds it"

LIMIT = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "before", type=files.input_path, nargs="?", metavar="A", help=f"a snapshot (.heap), or a folder ({DEFAULT})"
    )
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
    paths = _paths(arguments.before, arguments.after)
    if arguments.output:
        files.refuse_overwriting(arguments.output, *paths)
    result = _result(paths)
    summary = _write(result, arguments.output) if arguments.output else None
    if summary and not arguments.json:
        screen.print_line(summary)
        return 0
    from heap_exporter.report import json_documents, text

    limit = arguments.limit
    drawn = text.report(result, limit, verbose=arguments.verbose)
    screen.print_result(arguments, json_documents.report(result, limit), drawn)
    return 0


def _paths(before: Path | None, after: Path | None) -> Sequence[Path]:
    """Return the one or two snapshots to report: those named, or the two newest of a process in a folder.

    Raises :class:`HeapExporterError`, and its subclass :class:`NothingToCompare` if the folder has no two.
    """
    if after is not None:
        assert before is not None
        for path in (before, after):
            if os.path.isdir(path):
                raise HeapExporterError(f"{path} is a folder; name two snapshots, or only the folder")
        return before, after
    if before is not None and not os.path.isdir(before):
        return (before,)
    return _newest_pair(before)


def _newest_pair(given: Path | None) -> Sequence[Path]:
    from heap_exporter.report import sentences

    folder, (snapshots, _) = listed(given)
    pair = newest_pair(snapshots)
    if pair is None:
        raise NothingToCompare(sentences.no_pair_text(folder, snapshots))
    screen.print_message(sentences.pair_text(folder, *pair))
    return [info.path for info in pair]


def _result(paths: Sequence[Path]) -> Heap | Diff:
    heap, *others = map(screen.open_snapshot, paths)
    return analysis.compare(heap, *others) if others else heap


def _write(result: Heap | Diff, output: Path) -> str:
    from heap_exporter.report import html
    from heap_exporter.report.finding_text import comparison_text

    written = files.write_text(output, html.render(result))
    return f"{comparison_text(result).replace('`', '')}\n{written}" if isinstance(result, Diff) else written
