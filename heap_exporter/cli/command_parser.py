"""The parser of the command line: a usage error is one line with what to do, and the help fits the terminal."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Collection
from functools import partial
from typing import NoReturn

from heap_exporter.cli.help_text import terminal_columns, wrapped
from heap_exporter.cli.screen import print_message

USAGE_ERROR = 2
HELP_COLUMN = 26
"""Where the help of an option begins, unless the options are shorter."""


class CommandParser(argparse.ArgumentParser):
    """The parser of ``heap-exporter``, and of each of its commands."""

    def __init__(self, *, description: str | None = None, epilog: str = "", **options: object) -> None:
        columns = terminal_columns()
        formatter = partial(
            argparse.RawDescriptionHelpFormatter, width=columns, max_help_position=min(HELP_COLUMN, columns // 2)
        )
        super().__init__(
            description=wrapped(description or "", columns),
            epilog=wrapped(epilog, columns),
            formatter_class=formatter,
            **options,  # type: ignore[arg-type]  # those of argparse
        )

    def error(self, message: str) -> NoReturn:
        """Print a usage error as one line, and exit with code 2."""
        self._refuse(f"{message}; `{self.prog} --help` explains the arguments")

    def refuse_command(self, word: str, commands: Collection[str]) -> NoReturn:
        """Print that a word is no command, with the nearest ones, and exit with code 2."""
        near = [f"`{self.prog} {name}`" for name in difflib.get_close_matches(word, commands, n=2)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"`{self.prog} --help` lists the commands"
        self._refuse(f"there is no command {word!r}; {hint}")

    def _refuse(self, problem: str) -> NoReturn:
        print_message(problem)
        self.exit(USAGE_ERROR)
