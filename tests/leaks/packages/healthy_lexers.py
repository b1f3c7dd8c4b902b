"""Pygments: lexers are imported at first use; highlighting goes on."""

from __future__ import annotations

from collections.abc import Callable

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name


def main(snapshot: Callable[[], None]) -> None:
    for turn in range(4):
        if turn == 2:
            snapshot()
        for name in ("python", "java", "c", "rust", "go", "html", "css", "json", "yaml", "bash"):
            highlight("x = 1\n" * 50, get_lexer_by_name(name), HtmlFormatter())
    snapshot()
