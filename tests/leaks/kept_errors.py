"""Errors that are kept for a report, and with them what the functions had at hand where they failed."""

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
