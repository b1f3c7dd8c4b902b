"""List the snapshots in a folder, newest first: age, size, process, service, and why each was taken.

    heap-exporter list                      in the default folder
    heap-exporter list /var/lib/shop/heap   in the folder of a service
    heap-exporter list --json               a document with every detail

`heap-exporter report` compares the two newest snapshots of a process; `heap-exporter report ID.heap` shows one.
"""

from __future__ import annotations

import argparse
import time

from heap_exporter.cli import files, screen
from heap_exporter.cli.snapshot_folder import DEFAULT, listed

HELP = "list the snapshots in a folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "folder", nargs="?", type=files.input_path, metavar="DIR", help=f"the snapshot folder ({DEFAULT})"
    )
    screen.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the snapshots in a folder, and return the exit code 0 of the command, also if there is none.

    Raises :class:`~heap_exporter.errors.HeapExporterError` if DIR is not a readable folder.
    """
    from heap_exporter.report import json_documents, text

    folder, (snapshots, problems) = listed(arguments.folder)
    limit = arguments.limit
    screen.print_result(
        arguments,
        json_documents.snapshot_list(folder, snapshots, problems, limit),
        text.snapshot_list(folder, snapshots, problems, time.time(), limit),
    )
    return 0
