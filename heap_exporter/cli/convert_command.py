"""Write a snapshot in the format of another tool.

    heap-exporter convert b.heap --to heapsnapshot   for Chrome DevTools (Memory, Load profile) and memlab
    heap-exporter convert b.heap --to parquet        tables for DuckDB, Spark, Athena, in a folder (needs pyarrow)
    heap-exporter convert b.heap --to pprof          retained bytes by path, for pprof, speedscope, Pyroscope
    heap-exporter convert b.heap --to json           the whole summary in one document (docs/json.md)

Names, counts and sizes are written, never a value: there is none in a snapshot.
"""

from __future__ import annotations

import argparse
import importlib

from heap_exporter import analysis
from heap_exporter.analysis.summary import summarise
from heap_exporter.cli import files, screen

HELP = "write a snapshot for another tool"

FORMATS = ("heapsnapshot", "parquet", "pprof", "json")
"""Each is a module of the report, with a ``SUFFIX`` and a ``write()``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("file", type=files.named, metavar="FILE", help="a snapshot (.heap)")
    parser.add_argument("--to", choices=FORMATS, required=True, dest="format", help="the format to write")
    parser.add_argument(
        "-o", "--output", type=files.named_output, metavar="OUT", help="default: FILE with the format's suffix"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the file, say where it is, and return 0."""
    writer = importlib.import_module(f"heap_exporter.report.{arguments.format}")
    file = arguments.file
    target = arguments.output or file.parent / f"{file.stem}{writer.SUFFIX}"
    files.spare(target, file)
    with screen.progress(file.name) as progress:
        graph = analysis.load(file, progress)
        heap = summarise(graph, progress)
        with files.written_aside(target) as part:
            writer.write(graph, heap, part, progress)
    screen.say(f"written to {target}")
    return 0
