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
from pathlib import Path

from heap_exporter import analysis
from heap_exporter.analysis.heap import summarise
from heap_exporter.cli import screen
from heap_exporter.errors import HeapExporterError

HELP = "write a snapshot for another tool"

FORMATS = ("heapsnapshot", "parquet", "pprof", "json")
"""Each is a module of the report, with a ``SUFFIX`` and a ``write()``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a snapshot (.heap)")
    parser.add_argument("--to", choices=FORMATS, required=True, dest="format", help="the format to write")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="default: FILE with the format's suffix")


def run(arguments: argparse.Namespace) -> int:
    """Write the file, say where it is, and return 0."""
    writer = importlib.import_module(f"heap_exporter.report.{arguments.format}")
    target = arguments.output or arguments.file.with_suffix(writer.SUFFIX)
    with screen.progress(arguments.file.name) as progress:
        graph = analysis.load(arguments.file, progress)
        heap = summarise(graph, progress)
        try:
            writer.write(graph, heap, target, progress)
        except OSError as problem:
            raise HeapExporterError(f"cannot write {target}: {problem.strerror}") from None
    print(f"written to {target}")
    return 0
