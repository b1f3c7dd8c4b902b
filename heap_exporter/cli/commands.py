"""The list of commands, the parser, and how a command ends.

Each command is a module with a docstring (its long help), ``HELP`` (one line), ``add_arguments(parser)`` and
``run(arguments) -> exit code``. Commands print through ``screen.py`` and open files through ``files.py``.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from heap_exporter._version import VERSION
from heap_exporter.cli import ascii_output
from heap_exporter.cli.command_parser import CommandParser
from heap_exporter.cli.screen import print_message, stdout_errors
from heap_exporter.errors import HeapExporterError, NothingToCompare
from heap_exporter.settings.old_names import with_new_options

COMMANDS = (
    "demo",
    "run",
    "hub",
    "processes",
    "status",
    "watch",
    "snapshot",
    "list",
    "report",
    "diff",
    "top",
    "path",
    "info",
    "convert",
    "allocations",
    "lost",
    "replay",
    "last-exit",
    "upload",
    "rules",
)

GUIDE = """\
A service needs no command: `import heap_exporter; heap_exporter.start()` watches its memory, and takes snapshots when
it suspects a leak. To look at snapshots yourself:

  heap-exporter processes               list the processes of a running service, with memory and growth
  heap-exporter snapshot                take a snapshot of a running service
  heap-exporter list                    list the snapshots, with those that services took by themselves
  heap-exporter report                  show what grew between the last two, and what holds it
  heap-exporter report -o leak.html     write the same as an HTML page
  heap-exporter report a.heap b.heap    compare two of your choice
  heap-exporter path b.heap Session     show what holds the objects of one type

`heap-exporter COMMAND --help` explains a command and shows examples.

"""

EXIT_CODES = """\
exit codes:
  0    success, whether or not memory grew
  1    the service refused a snapshot, a folder has no two to compare, an upload failed, or the demo found no leak
  2    an argument is invalid, or a file cannot be read or written: one line on stderr gives the reason
  130  interrupted (Ctrl-C)
"""


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names, and return the exit code. A failure prints one line on stderr.

    A reader that closes the pipe early (``| head``) is not a failure.
    """
    try:
        return _run(argv)
    except BrokenPipeError:
        _abandon_stdout()
        return 0
    except NothingToCompare as error:
        problem, code = str(error), 1
    except HeapExporterError as error:
        problem, code = str(error), 2
    except MemoryError:
        problem, code = "not enough memory", 2
    _print_failure(problem)
    return code


def _run(argv: Sequence[str] | None) -> int:
    if sys.stdout is None:
        raise HeapExporterError("cannot write to stdout: it is closed")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ascii_output.ERRORS)  # for signs and names that the terminal cannot show
    with stdout_errors():
        try:
            arguments = _parsed(with_new_options(sys.argv[1:] if argv is None else argv))
        except SystemExit:  # --help and --version have printed
            sys.stdout.flush()
            raise
    code: int = arguments.run(arguments)
    with stdout_errors():
        sys.stdout.flush()
    return code


def _print_failure(problem: str) -> None:
    """Print a line on stderr, and flush or drop what stdout has buffered."""
    print_message(problem)
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            _abandon_stdout()


def _abandon_stdout() -> None:
    """Drop the rest of the command's output: the interpreter would report a broken stdout at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of the command that the words name. Prints the help if there are none."""
    parser = _parser(words[:1] if words and words[0] in COMMANDS else COMMANDS)
    if not words:
        parser.print_help()
        parser.exit()
    if not words[0].startswith("-") and words[0] not in COMMANDS:
        parser.refuse_command(words[0], COMMANDS)
    arguments, unknown = parser.parse_known_args(words)
    command: CommandParser = arguments.parser
    if unknown:
        command.error(f"unrecognized arguments: {' '.join(unknown)}")
    if command is parser:
        command.error("no command is given")
    return arguments


def _parser(names: Sequence[str]) -> CommandParser:
    """Return the parser with some of the commands; each imports modules that the others do not need."""
    parser = CommandParser(
        prog="heap-exporter",
        description="Watches the memory of Python services: metrics, leak alerts, heap snapshots.",
        epilog=GUIDE + EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"heap-exporter {VERSION}")
    # The metavar is as long as the longest command: argparse aligns the commands' help by it.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND ARGS")
    parser.set_defaults(parser=parser)
    for name in names:
        module = importlib.import_module(f"heap_exporter.cli.{name.replace('-', '_')}_command")
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__, epilog=EXIT_CODES)
        module.add_arguments(command)
        command.set_defaults(run=module.run, parser=command)
    return parser
