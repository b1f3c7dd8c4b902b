"""Tables in tests: one test checks all rows, or each row is a test of its own, the first ones in `make test`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import pytest

Row = TypeVar("Row")


def failing(rows: Mapping[str, Row], check: Callable[[Row], object]) -> list[str]:
    """Return the names of the rows for which ``check`` returns a false value, in their order."""
    assert rows, "a table without rows checks nothing"
    return [name for name, row in rows.items() if not check(row)]


def first(count: int, rows: Iterable[Any]) -> list[Any]:
    """Return rows for ``parametrize``: the first ones run in `make test`, the others in `make test-long`."""
    each = [row if isinstance(row, tuple) else (row,) for row in rows]
    return [pytest.param(*row, marks=() if number < count else pytest.mark.long) for number, row in enumerate(each)]
