"""Source of functions that are made for each query, kept for tracebacks; and a folder of plug-ins for each customer."""

from __future__ import annotations

import importlib.machinery
import linecache
from collections.abc import Callable


def make(number: int) -> None:
    lines = [f"    row[{column}] = convert_{number}(row[{column}])\n" for column in range(40)]
    name = f"<query {number}>"
    linecache.cache[name] = (sum(map(len, lines)), None, lines, name)


def look_for_plugins(number: int) -> None:
    importlib.machinery.PathFinder.find_spec("plugin", [f"/nowhere/{'customer' * 10}/{number}"])


def main(snapshot: Callable[[], None]) -> None:
    for numbers in (range(300), range(300, 900)):
        for number in numbers:
            make(number)
            look_for_plugins(number)
        snapshot()
