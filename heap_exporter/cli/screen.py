"""What the commands of the analysis share: ``--limit`` and ``--json``, how far they are, and where they are shown."""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from heap_exporter import analysis
from heap_exporter.analysis import Heap, Progress, silent
from heap_exporter.errors import HeapExporterError

LIMIT = 20
QUIET_SECONDS = 1.0
"""What is done sooner than this shows no progress."""

WIDEST = 100_000
"""Columns of what is no terminal: lines are as long as they are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--limit`` and ``--json``."""
    parser.add_argument(
        "--limit", type=_limit, default=LIMIT, metavar="N", help="rows of a table; 0: all (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON document instead (docs/json.md)")


@contextmanager
def printing() -> Iterator[None]:
    """Make a stdout that cannot be written a :class:`HeapExporterError`; a reader that went away stays what it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise HeapExporterError(f"cannot write to stdout: {problem.strerror or problem}") from None


def say(line: str) -> None:
    """Print a line. Raises :class:`HeapExporterError` where stdout cannot be written."""
    with printing():
        print(line)


def complain(problem: str) -> None:
    """Print a line on stderr, if there is one, whatever is in the names of files and types."""
    line = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in problem)
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"heap-exporter: {line}", file=sys.stderr)


def show(arguments: argparse.Namespace, document: Any, drawn: Any) -> None:
    """Print a document as JSON for ``--json``, else what rich draws: in whole, plain lines where is no terminal."""
    if arguments.json:
        say(json.dumps(document, indent=2))
        return
    from rich.console import Console

    terminal = Console(highlight=False, markup=False, emoji=False)
    if terminal.is_terminal:
        with printing():
            terminal.print(drawn)
        return
    text = io.StringIO()
    Console(file=text, width=WIDEST, highlight=False, markup=False, emoji=False, color_system=None).print(drawn)
    say("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def opened(path: Path) -> Heap:
    """Return the summary of a snapshot file, showing how far its analysis is."""
    with progress(path.name) as told:
        return analysis.open(path, told)


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """Yield what the analysis tells its progress to: a bar on stderr if that is a terminal and it takes a while."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True, markup=False, emoji=False)
    if not console.is_terminal:
        yield silent
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    bars = Bars(*columns, console=console, transient=True)
    task = bars.add_task(title, total=1.0)
    begun = time.monotonic()

    def told(stage: str, done: float) -> None:
        if not bars.live.is_started and time.monotonic() - begun > QUIET_SECONDS:
            bars.start()
        bars.update(task, description=f"{title}: {stage}", completed=done)

    try:
        yield told
    finally:
        if bars.live.is_started:
            bars.stop()


def _limit(text: str) -> int:
    try:
        limit = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError("it must be a whole number, 0 for all") from None
    if limit < 0:
        raise argparse.ArgumentTypeError("it must not be negative; 0 is for all")
    return min(limit, sys.maxsize) or sys.maxsize
