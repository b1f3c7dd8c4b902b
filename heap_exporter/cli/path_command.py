"""Show what holds the objects of a type: the shortest paths from a root to the objects.

    heap-exporter path b.heap Session
    heap-exporter path b.heap shop.sessions.Session

Give the type with or without its module. Paths have no indexes, keys or addresses, so a million objects in one list
are one line.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence

from heap_exporter.analysis import TypeRow
from heap_exporter.analysis.results import short_name
from heap_exporter.cli import files, screen
from heap_exporter.errors import HeapExporterError

HELP = "show what holds the objects of a type"

NEAREST = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("file", type=files.input_path, metavar="FILE", help="a snapshot (.heap)")
    parser.add_argument("type_name", metavar="TYPE", help="a type, such as Session or shop.sessions.Session")
    screen.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the retainer paths of a type, and return the exit code 0 of the command.

    Raises :class:`HeapExporterError` if the snapshot has no such type.
    """
    from heap_exporter.report import json_documents, text

    heap = screen.open_snapshot(arguments.file)
    types = _matching_types(heap.types, arguments.type_name)
    names = {row.type_name for row in types}
    indexes = [index for index, group in enumerate(heap.groups) if group.type_name in names and group.objects]
    indexes.sort(key=lambda index: -heap.groups[index].objects)
    limit = arguments.limit
    screen.print_result(
        arguments, json_documents.path(heap, types, indexes, limit), text.path(heap, types, indexes, limit)
    )
    return 0


def _matching_types(types: Sequence[TypeRow], wanted: str) -> list[TypeRow]:
    """Return the snapshot's types with the full name that the user typed, or else with that short name."""
    matching = [row for row in types if row.type_name == wanted] or [
        row for row in types if short_name(row.type_name) == wanted
    ]
    if not matching:
        raise HeapExporterError(f"the snapshot has no object of type {wanted!r}{_nearest(types, wanted)}")
    return matching


def _nearest(types: Sequence[TypeRow], wanted: str) -> str:
    names = {row.type_name.lower(): row.type_name for row in types}
    for row in types:
        names.setdefault(short_name(row.type_name).lower(), row.type_name)
    close = difflib.get_close_matches(wanted.lower(), names, n=NEAREST)
    meant = dict.fromkeys(names[name] for name in close)
    return f"; did you mean {' or '.join(map(repr, meant))}?" if meant else "; `heap-exporter top` lists the types"
