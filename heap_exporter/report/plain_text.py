"""Writes blocks of text plainly: for files and pipes, and for terminals where rich is not installed."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence

from heap_exporter.report.blocks import Block, FactList, IndentedBlock, NameTable, StyledLine

GAP = "  "
MIN_COLUMNS = 20
"""A narrower space is filled beyond its end: words of one letter a line cannot be read."""


def plain_lines(blocks: Iterable[Block], columns: int | None = None) -> Iterator[str]:
    """Yield the lines of blocks, without styles.

    For a terminal with ``columns``, sentences are wrapped between words, and the rows of tables that cut names are cut.
    Rows of other tables stay whole, so that the terminal folds them. Without ``columns`` no line is changed.
    """
    for block in blocks:
        match block:
            case StyledLine():
                yield from _wrapped(block.text, columns)
            case NameTable():
                if block.title:
                    yield block.title
                rows = [list(block.columns), *([cell.text for cell in row] for row in block.rows)]
                yield from (_cut(row, columns if block.cut_names else None) for row in _aligned(rows, str.rjust))
            case FactList():
                indent = max((len(name) for name, _ in block.rows), default=0) + len(GAP)
                for row in _aligned([[name, fact.text] for name, fact in block.rows], str.ljust):
                    yield from _wrapped(row, columns, " " * indent)
            case IndentedBlock():
                inner = None if columns is None else columns - block.columns
                yield from (f"{' ' * block.columns}{line}" for line in plain_lines([block.block], inner))


def _aligned(rows: Sequence[Sequence[str]], justify: Callable[[str, int], str]) -> Iterator[str]:
    """Yield rows with all columns but the last one justified."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        yield GAP.join([*map(justify, row, widths), row[-1]])


def _wrapped(line: str, columns: int | None, indent: str | None = None) -> list[str]:
    """Return a line as several, of which all but the first have an indent: by default that of the line."""
    if columns is None or len(line) <= columns:
        return [line]
    indent = line[: len(line) - len(line.lstrip())] if indent is None else indent
    width = max(columns, len(indent) + MIN_COLUMNS)
    return textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def _cut(row: str, columns: int | None) -> str:
    return row if columns is None or len(row) <= columns else f"{row[: max(columns - 1, 0)]}…"
