"""Writes blocks of text plainly: for files and pipes, and for terminals where rich is not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from heap_exporter.report.blocks import Block, FactList, IndentedBlock, NameTable, StyledLine

GAP = "  "


def plain_lines(blocks: Iterable[Block]) -> Iterator[str]:
    """Yield the lines of blocks, without styles, folding nothing."""
    for block in blocks:
        match block:
            case StyledLine():
                yield block.text
            case NameTable():
                if block.title:
                    yield block.title
                cells = [[cell.text for cell in row] for row in block.rows]
                yield from _columns([list(block.columns), *cells], str.rjust)
            case FactList():
                yield from _columns([[name, fact.text] for name, fact in block.rows], str.ljust)
            case IndentedBlock():
                yield from (f"{' ' * block.columns}{line}" for line in plain_lines([block.block]))


def _columns(rows: Sequence[Sequence[str]], justify: Callable[[str, int], str]) -> Iterator[str]:
    """Yield rows with all columns but the last one justified."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        yield GAP.join([*map(justify, row, widths), row[-1]])
