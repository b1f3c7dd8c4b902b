"""The heap-exporter command, run as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

Run = Callable[..., "subprocess.CompletedProcess[str]"]
"""Runs heap-exporter with arguments; ``code`` is the expected exit code."""


class Pair(NamedTuple):
    """Two snapshots of one process; between them it gained 4000 sessions."""

    before: Path
    after: Path


def command_line(*arguments: str | Path) -> Sequence[str]:
    """Return the command that runs heap-exporter with some arguments."""
    return [sys.executable, "-m", "heap_exporter", *map(str, arguments)]
