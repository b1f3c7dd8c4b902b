"""What a text for people consists of: styled lines, tables and facts. Renderers write them plainly or with rich."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StyledLine:
    """One line: parts of text with the style of each, such as ``bold`` or ``cyan``; without a part, an empty line."""

    parts: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """Return the text without its styles."""
        return "".join(text for text, _ in self.parts)


def plain_line(text: str) -> StyledLine:
    """Return a line without a style."""
    return StyledLine(((text, ""),))


@dataclass(frozen=True, slots=True)
class NameTable:
    """A table of numbers with a name in the last column, which a terminal folds or, with ``cut_names``, cuts."""

    columns: Sequence[str]
    rows: Sequence[Sequence[StyledLine]]
    title: str = ""
    cut_names: bool = False


@dataclass(frozen=True, slots=True)
class FactList:
    """Names of facts with the text of each."""

    rows: Sequence[tuple[str, StyledLine]]


@dataclass(frozen=True, slots=True)
class IndentedBlock:
    """A block that begins ``columns`` to the right."""

    block: Block
    columns: int


Block = StyledLine | NameTable | FactList | IndentedBlock
