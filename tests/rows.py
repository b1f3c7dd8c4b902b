"""Tables in tests: one test checks all rows, and its assertion lists those that fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

Row = TypeVar("Row")


def failing(rows: Mapping[str, Row], check: Callable[[Row], object]) -> list[str]:
    """Return the names of the rows for which ``check`` returns a false value, in their order."""
    assert rows, "a table without rows checks nothing"
    return [name for name, row in rows.items() if not check(row)]
