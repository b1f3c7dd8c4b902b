"""Snapshots of a real process that leaks, and the command line as a real process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.commands import Pair, Run, command_line
from tests.processes.programs import environment

SHOP = """
class Session:
    def __init__(self, number):
        self.user = "user %d" % number

SESSIONS = {}

def visits(begin, end):
    for number in range(begin, end):
        SESSIONS["visitor %d" % number] = Session(number)
"""

SERVICE = """
import shop
from heap_exporter import start

with start(http=False) as exporter:
    shop.visits(0, 1000)
    print(exporter.snapshot("before").path)
    shop.visits(1000, 5000)
    print(exporter.snapshot("after").path)
"""


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("service")
    (folder / "shop.py").write_text(SHOP)
    (folder / "service.py").write_text(SERVICE)
    command = [sys.executable, str(folder / "service.py")]
    printed = subprocess.check_output(command, text=True, cwd=folder, env=environment(folder))
    return Pair(*map(Path, printed.split()))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs heap-exporter and checks the exit code."""

    def run_command(*arguments: str | Path, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command_line(*arguments),
            capture_output=True,
            encoding="utf-8",
            cwd=tmp_path,
            env=environment(tmp_path, **environ),
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    return run_command
