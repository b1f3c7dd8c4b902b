"""Runs one of the programs, and writes a snapshot at each call of ``snapshot``.

python -m tests.leaks.driver NAME BEFORE AFTER
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from pathlib import Path

from tests.heaps import walks


def run(name: str, *paths: str) -> None:
    """Run ``main`` of the program ``name``, which takes one snapshot for each path."""
    walker = walks.chosen("native")
    files = map(Path, paths)

    def snapshot() -> None:
        walks.snapshot(walker, next(files))

    main = importlib.import_module(f"tests.leaks.{name}").main
    if inspect.iscoroutinefunction(main):
        asyncio.run(main(snapshot))
    else:
        main(snapshot)
    assert next(files, None) is None


if __name__ == "__main__":
    run(*sys.argv[1:])
