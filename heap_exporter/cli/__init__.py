"""The command line: a list of commands, one module each, and what their failures look like from outside.

A command module has a docstring (its long help), ``HELP`` (one line), ``add_arguments(parser)`` and
``run(arguments) -> exit code``. Exit codes: 0 done, 1 the command's own "no", 2 bad input, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from heap_exporter._version import VERSION
from heap_exporter.errors import HeapExporterError

COMMANDS = ("demo", "snapshot", "rules")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names, and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except HeapExporterError as error:
        print(f"heap-exporter: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heap-exporter",
        description="Watches the heap of Python services: metrics, alerts on the slope, snapshots of what grows.",
        epilog="A service needs no command: `import heap_exporter; heap_exporter.start()`.",
    )
    parser.add_argument("--version", action="version", version=f"heap-exporter {VERSION}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"heap_exporter.cli.{name}")
        command = commands.add_parser(
            name, help=module.HELP, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
