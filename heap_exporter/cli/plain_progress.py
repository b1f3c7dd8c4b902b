"""The progress of long work as one line of a terminal, where rich is not installed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from heap_exporter.analysis import ProgressCallback


@contextmanager
def plain_progress(title: str, stream: TextIO, quiet_seconds: float) -> Iterator[ProgressCallback]:
    """Yield a function that shows a stage and its share on ``stream``, after ``quiet_seconds``, until the end."""
    began, shown = time.monotonic(), ""

    def write(line: str) -> None:
        nonlocal shown
        with suppress(OSError):
            stream.write(f"\r{line.ljust(len(shown))}")
            stream.flush()
        shown = line

    def report_progress(stage: str, done: float) -> None:
        line = f"{title}: {stage} {done:.0%}"[: shutil.get_terminal_size().columns - 1]
        if line != shown and time.monotonic() - began >= quiet_seconds:
            write(line)

    try:
        yield report_progress
    finally:
        if shown:
            write("")
            write("")  # the cursor returns to the begin of the line
