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
"""After so long a program hangs, however busy the machine is."""


def outcome(code: str, folder: Path, *options: str, deadline_seconds: float = DEADLINE_SECONDS) -> dict[str, Any]:
    """Return what a program printed, one JSON object, once it has ended well and without a word on its stderr.

    ``options`` are the interpreter's own. The program may use what the tests use.
    """
    path = folder / "program.py"
    path.write_text(textwrap.dedent(code))
    ran = subprocess.run(
        [sys.executable, *options, str(path)],
        cwd=folder,
        env=environment(folder, PYTHONPATH=str(REPOSITORY)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_seconds,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), f"exit code {ran.returncode}: {ran.stdout}{ran.stderr}"
    said: dict[str, Any] = json.loads(ran.stdout)
    return said
