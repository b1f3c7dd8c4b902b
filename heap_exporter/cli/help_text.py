"""Fits the help of the commands into the width of the terminal."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator
from itertools import groupby

MAX_COLUMNS = 100
MIN_TEXT_COLUMNS = 20

_ROW = re.compile(r"( *\S.*? {2,})(\S.*)")
"""A row of a list: an example or a term, at least two spaces, and its explanation."""


def terminal_columns() -> int:
    """Return the columns for help: those of the terminal, at most ``MAX_COLUMNS``; 80 if there is no terminal."""
    return min(shutil.get_terminal_size().columns, MAX_COLUMNS)


def wrapped(text: str, columns: int) -> str:
    """Return a help text with its paragraphs, and the explanations in its indented lists, wrapped to a width."""
    return "\n\n".join("\n".join(_block(block.splitlines(), columns)) for block in text.strip("\n").split("\n\n"))


def _block(lines: list[str], columns: int) -> Iterator[str]:
    for is_indented, group in groupby(lines, key=lambda line: line.startswith(" ")):
        if is_indented:
            for row in _rows(list(group)):
                yield from _wrapped_row(row, columns)
        else:
            yield from textwrap.wrap(" ".join(group), columns, break_on_hyphens=False)


def _rows(lines: list[str]) -> list[str]:
    """Return the rows of a list, each with its continuation lines, which are indented further than the first row."""
    indent, rows = len(lines[0]) - len(lines[0].lstrip()), list[str]()
    for line in lines:
        if rows and len(line) - len(line.lstrip()) > indent:
            rows[-1] += f" {line.strip()}"
        else:
            rows.append(line)
    return rows


def _wrapped_row(row: str, columns: int) -> list[str]:
    if len(row) <= columns or not (match := _ROW.fullmatch(row)):
        return [row]
    term, explanation = match.groups()
    if columns - len(term) < MIN_TEXT_COLUMNS:
        indent = " " * (len(term) - len(term.lstrip()) + 4)
        lines = textwrap.wrap(explanation, max(columns - len(indent), MIN_TEXT_COLUMNS), break_on_hyphens=False)
        return [term.rstrip(), *(indent + line for line in lines)]
    first, *others = textwrap.wrap(explanation, columns - len(term), break_on_hyphens=False)
    return [term + first, *(" " * len(term) + line for line in others)]
