"""Runs a program to its end, for tests whose programs may crash or hang."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.native.conftest import REPOSITORY
from tests.processes.programs import environment

DEADLINE_SECONDS = 240.0
"""A program that takes longer hangs, even on a busy machine."""


def outcome(
    code: str, folder: Path, *options: str, deadline_seconds: float = DEADLINE_SECONDS, **environ: str
) -> dict[str, Any]:
    """Return the JSON object that a program printed; it must succeed and write nothing to stderr.

    ``options`` are the interpreter's, and ``environ`` are variables. The program may import the tests' helpers.
    """
    path = folder / "program.py"
    path.write_text(textwrap.dedent(code))
    ran = subprocess.run(
        [sys.executable, *options, str(path)],
        cwd=folder,
        env=environment(folder, PYTHONPATH=str(REPOSITORY), **environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_seconds,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), f"exit code {ran.returncode}: {ran.stdout}{ran.stderr}"
    printed: dict[str, Any] = json.loads(ran.stdout)
    return printed
