"""Convert a snapshot to the format of another tool.

    heap-exporter convert b.heap --to heapsnapshot   for Chrome DevTools (Memory tab, Load profile) and memlab
    heap-exporter convert b.heap --to parquet        a folder of tables for DuckDB, Spark, Athena (needs pyarrow)
    heap-exporter convert b.heap --to pprof          bytes by path, for pprof, speedscope, Pyroscope
    heap-exporter convert b.heap --to json           the complete summary as one document (docs/json.md)

The output has names, counts and sizes. It has no values, because a snapshot has none.
"""

from __future__ import annotations

import argparse
import importlib

from heap_exporter import analysis
from heap_exporter.analysis.summary import summarise
from heap_exporter.cli import files, screen

HELP = "convert a snapshot for another tool"

FORMATS = {"heapsnapshot": "heapsnapshot", "parquet": "parquet", "pprof": "pprof", "json": "heap_json"}
"""The module of each format in :mod:`heap_exporter.report`, with a ``SUFFIX`` and a ``write()``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("file", type=files.input_path, metavar="FILE", help="a snapshot (.heap)")
    parser.add_argument("--to", choices=FORMATS, required=True, dest="format", help="the output format")
    parser.add_argument(
        "-o",
        "--output",
        type=files.output_path,
        metavar="OUT",
        help="the file or folder to write (default: FILE with the suffix of the format)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert the snapshot, print the path of the new file, and return the exit code 0 of the command."""
    writer = importlib.import_module(f"heap_exporter.report.{FORMATS[arguments.format]}")
    file = arguments.file
    target = arguments.output or file.parent / f"{file.stem}{writer.SUFFIX}"
    files.refuse_overwriting(target, file)
    with screen.progress(file.name) as progress:
        graph = analysis.load(file, progress)
        heap = summarise(graph, progress)
        with files.output_file(target) as part:
            writer.write(graph, heap, part, progress)
    screen.print_line(f"written to {target}")
    return 0
