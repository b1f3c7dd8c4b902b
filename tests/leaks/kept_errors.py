"""Exceptions that are stored for a report, with the local variables of the functions that raised them."""

from __future__ import annotations

from collections.abc import Callable

ERRORS: list[LookupError] = []


def parse(line: int) -> str:
    text = "=" * (1000 + line)
    fields = dict.fromkeys(text, "")
    return fields[text]


def main(snapshot: Callable[[], None]) -> None:
    for line in range(500):
        if line == 50:
            snapshot()
        try:
            parse(line)
        except LookupError as error:
            ERRORS.append(error)
    snapshot()
