"""The commands, one module each, and what their failures look like from outside.

A command module has a docstring (its long help), ``HELP`` (one line), ``add_arguments(parser)`` and
``run(arguments) -> exit code``; those of the analysis share ``screen.py`` and ``files.py``.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from heap_exporter._version import VERSION
from heap_exporter.cli.screen import complain, printing
from heap_exporter.errors import HeapExporterError

COMMANDS = (
    "demo",
    "snapshot",
    "report",
    "diff",
    "top",
    "path",
    "info",
    "convert",
    "replay",
    "last-exit",
    "upload",
    "rules",
)

GUIDE = """\
A service needs no command: `import heap_exporter; heap_exporter.start()`. It takes a snapshot when it suspects a leak.
Two of them say who it is:

  heap-exporter snapshot                           take one now
  heap-exporter report a.heap b.heap               what grew, and who holds it
  heap-exporter report a.heap b.heap -o leak.html  the same as a page
  heap-exporter path b.heap Session                how the objects of a type are held

`heap-exporter COMMAND --help` tells more.

"""

EXIT_CODES = """\
exit codes:
  0    done; whatever grew, or did not
  1    the command's own "no": a refused snapshot, a demo that caught nothing
  2    a wrong argument, or a file that cannot be read or written: one line on stderr says why
  130  interrupted (Ctrl-C)
"""


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names, and return the exit code; a failure is one line on stderr.

    A reader of the output that goes away is none.
    """
    try:
        return _run(argv)
    except BrokenPipeError:
        _abandon_stdout()
        return 0
    except HeapExporterError as error:
        problem = str(error)
    except MemoryError:
        problem = "there is not enough memory for this"
    _tell(problem)
    return 2


def _run(argv: Sequence[str] | None) -> int:
    if sys.stdout is None:
        raise HeapExporterError("cannot write to stdout: it is closed")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show ends no command
    with printing():
        try:
            arguments = _parser().parse_args(argv)
        except SystemExit:  # --help and --version have printed
            sys.stdout.flush()
            raise
    code: int = arguments.run(arguments)
    with printing():
        sys.stdout.flush()
    return code


def _tell(problem: str) -> None:
    """Print a line on stderr, and let stdout fail no more."""
    complain(problem)
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            _abandon_stdout()


def _abandon_stdout() -> None:
    """Send what is still to be written nowhere: the interpreter would complain of it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heap-exporter",
        description="Watches the heap of Python services: metrics, alerts on the slope, snapshots of what grows.",
        epilog=GUIDE + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"heap-exporter {VERSION}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"heap_exporter.cli.{name.replace('-', '_')}_command")
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
