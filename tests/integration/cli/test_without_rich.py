"""The commands in an environment without rich, which only the extra ``cli`` installs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.processes.commands import Pair
from tests.processes.programs import PATIENCE_SECONDS, environment

TERMINAL = "import pty, sys; sys.exit(pty.spawn([sys.executable, *sys.argv[1:]]))"

COMMANDS = """
import os, sys
from heap_exporter.cli import main

sys.stderr = open(os.devnull, "w")  # on a terminal it shows progress
before, after = sys.argv[1:]
for command in (
    ["report", before, after, "--verbose"], ["report", after], ["diff", before, after], ["top", after],
    ["path", after, "Session"], ["info", after],
):
    assert main(command) == 0
"""


@pytest.fixture
def no_rich(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which rich cannot be imported."""
    (tmp_path / "rich.py").write_text("raise ImportError('not installed')")
    return environment(tmp_path, PYTHONPATH=str(tmp_path), TERM="xterm")


def test_a_terminal_gets_the_plain_text_that_a_pipe_gets_with_rich(
    pair: Pair, tmp_path: Path, no_rich: dict[str, str]
) -> None:
    command = ["-c", COMMANDS, str(pair.before), str(pair.after)]
    with_rich = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=True, env=environment(tmp_path / "empty")
    )
    without = subprocess.run(
        [sys.executable, "-c", TERMINAL, *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        env={**no_rich, "COLUMNS": "10000"},
    )

    shown = without.stdout.decode().replace("\r\n", "\n")
    assert shown.removeprefix("^D\b\b") == with_rich.stdout
    assert "\x1b" not in shown


def test_the_demo_prints_lines_and_how_to_get_the_table(no_rich: dict[str, str]) -> None:
    command = [sys.executable, "-c", TERMINAL, "-m", "heap_exporter", "demo", "--port=0", "--shop-port=0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=no_rich) as demo:
        patience = threading.Timer(PATIENCE_SECONDS, demo.kill)
        patience.start()
        assert demo.stdin
        assert demo.stdout
        shown = b""
        while b" requests  heap " not in shown:
            piece = os.read(demo.stdout.fileno(), 65536)
            assert piece, shown
            shown += piece
        demo.stdin.write(b"\x03")
        demo.stdin.flush()
        demo.stdout.read()
        patience.cancel()

    first, *links = shown.decode().splitlines()
    assert first == ("heap-exporter: for a live table the demo needs rich; run `pip install 'heap-exporter[cli]'`")
    assert links[0].startswith("shop      http://")
    assert demo.returncode == 0
