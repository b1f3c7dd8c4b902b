"""Pygments: between the snapshots more lexers are imported: code, not a leak."""

from __future__ import annotations

from collections.abc import Callable

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

EARLY = ("python", "java", "c", "rust", "go", "html", "css", "json")
LATE = ("perl", "ruby", "php", "lua", "sql", "scala", "swift", "kotlin", "haskell", "matlab", "fortran", "csharp")


def main(snapshot: Callable[[], None]) -> None:
    for names in (EARLY, LATE):
        for name in names:
            highlight("x = 1\n" * 50, get_lexer_by_name(name), HtmlFormatter())
        snapshot()
