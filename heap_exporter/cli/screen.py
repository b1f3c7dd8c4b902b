"""Output of the commands: ``--limit`` and ``--json``, lines and errors, tables, progress bars."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heap_exporter import analysis
from heap_exporter.analysis import Heap, ProgressCallback, ignore_progress
from heap_exporter.cli.plain_progress import plain_progress
from heap_exporter.errors import HeapExporterError
from heap_exporter.report.blocks import Block
from heap_exporter.report.plain_text import plain_lines

if TYPE_CHECKING:
    from rich.console import Console

LIMIT = 20
QUIET_SECONDS = 1.0
"""Work that takes less time shows no progress bar."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--limit`` and ``--json``."""
    parser.add_argument(
        "--limit",
        type=_limit,
        default=LIMIT,
        metavar="N",
        help="maximum rows to show per table; 0 for all (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON document (docs/json.md)")


def add_verbose(parser: argparse.ArgumentParser, shown: str) -> None:
    """Add ``--verbose``; ``shown`` names what it adds."""
    parser.add_argument("-v", "--verbose", action="store_true", help=f"also show {shown}")


@contextmanager
def stdout_errors() -> Iterator[None]:
    """Raise :class:`HeapExporterError` for a stdout that cannot be written; ``BrokenPipeError`` passes."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise HeapExporterError(f"cannot write to stdout: {problem.strerror or problem}") from None


def print_line(line: str) -> None:
    """Print a line on stdout. Raises :class:`HeapExporterError` if stdout cannot be written."""
    with stdout_errors():
        print(line)


def print_message(text: str) -> None:
    """Print a line on stderr, if it is open: stdout has only results.

    Control characters in names of files and types are escaped.
    """
    line = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"heap-exporter: {line}", file=sys.stderr)


def print_result(arguments: argparse.Namespace, document: Any, blocks: Sequence[Block]) -> None:
    """Print a document as JSON for ``--json``, else its text: drawn by rich on a terminal, else plain lines."""
    if arguments.json:
        print_line(json.dumps(document, indent=2))
    elif console := terminal_console():
        from heap_exporter.report.rich_text import drawn

        with stdout_errors():
            console.print(drawn(blocks))
    else:
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print_line("\n".join(line.rstrip() for line in plain_lines(blocks, columns)))


def terminal_console(*, stderr: bool = False) -> Console | None:
    """Return rich's console of stdout or stderr if that is a terminal and rich is installed, else ``None``."""
    try:
        from rich.console import Console
    except ImportError:  # the extra "cli" is not installed
        return None
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else None


def open_snapshot(path: Path) -> Heap:
    """Return the summary of a snapshot file, with a progress bar meanwhile."""
    with progress(path.name) as report_progress:
        return analysis.open(path, report_progress)


@contextmanager
def progress(title: str) -> Iterator[ProgressCallback]:
    """Yield a function that takes stage and progress. It shows a bar on stderr if that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield ignore_progress
        return
    console = terminal_console(stderr=True)
    if console is None:
        with plain_progress(title, sys.stderr, QUIET_SECONDS) as report_plainly:
            yield report_plainly
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    bars = Bars(*columns, console=console, transient=True)
    task = bars.add_task(title, total=1.0)
    started = time.monotonic()

    def report_progress(stage: str, done: float) -> None:
        if not bars.live.is_started and time.monotonic() - started > QUIET_SECONDS:
            bars.start()
        bars.update(task, description=f"{title}: {stage}", completed=done)

    try:
        yield report_progress
    finally:
        if bars.live.is_started:
            bars.stop()


def _limit(text: str) -> int:
    try:
        limit = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError("it must be a whole number; use 0 for all") from None
    if limit < 0:
        raise argparse.ArgumentTypeError("it must not be negative; use 0 for all")
    return min(limit, sys.maxsize) or sys.maxsize
