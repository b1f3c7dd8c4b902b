"""Draws blocks of text with rich, for a terminal. Importing this imports rich, which the extra ``cli`` installs."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from heap_exporter.report.blocks import Block, FactList, IndentedBlock, NameTable, StyledLine
from heap_exporter.report.plain_text import plain_lines


def drawn(blocks: Iterable[Block]) -> Group:
    """Return blocks as what rich prints."""
    return Group(*map(_drawn, blocks))


def _drawn(block: Block) -> RenderableType:
    match block:
        case StyledLine():
            return Text.assemble(*block.parts)
        case NameTable(cut_names=True):  # a Table would make all columns narrower, and not only the last one
            return Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in plain_lines([block])))
        case NameTable():
            return _table(block)
        case FactList():
            return _facts(block)
        case IndentedBlock():
            return Padding(_drawn(block.block), (0, 0, 0, block.columns))


def _table(block: NameTable) -> Table:
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0),
        title=block.title or None, title_justify="left", title_style="bold",
    )  # fmt: skip  # layout and title
    *numbers, name = block.columns
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True, header_style="dim")
    table.add_column(name, overflow="fold", header_style="dim")
    for row in block.rows:
        table.add_row(*map(_drawn, row))
    return table


def _facts(block: FactList) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in block.rows:
        table.add_row(Text(name), _drawn(fact))
    return table
