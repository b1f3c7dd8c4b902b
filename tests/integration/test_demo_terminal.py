"""The demo on a terminal, ended by Ctrl-C."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.processes.programs import PATIENCE_SECONDS, environment

COLUMNS = 80
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TERMINAL = "import pty, sys; sys.exit(pty.spawn([sys.executable, *sys.argv[1:]]))"


@pytest.mark.parametrize("rows", [24, 60])
def test_the_table_fits_the_terminal_and_leaves_room_for_the_echo_of_ctrl_c(rows: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", TERMINAL, "-m", "heap_exporter", "demo", "--port=0", "--shop-port=0"]
    size = {"COLUMNS": str(COLUMNS), "LINES": str(rows)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(tmp_path, TERM="xterm", **size)
    ) as demo:
        patience = threading.Timer(PATIENCE_SECONDS, demo.kill)
        patience.start()
        assert demo.stdin
        assert demo.stdout
        shown = b""
        while shown.count("╭".encode()) < 2:  # drawn, and drawn again over it
            piece = os.read(demo.stdout.fileno(), 65536)
            assert piece, shown
            shown += piece
        demo.stdin.write(b"\x03")
        demo.stdin.flush()
        rest = demo.stdout.read()
        patience.cancel()

    table = shown.decode(errors="replace").rpartition("╭")[0]
    drawn = [CONTROL.sub("", line) for line in re.split("[\r\n]+", table)]
    assert demo.returncode == 0
    assert b"^C" in rest
    assert {len(line) for line in drawn if line.startswith(("╭", "│", "╰"))} == {COLUMNS - 2}
    frame = "".join(line[0] for line in drawn if line.startswith(("╭", "│", "╰")))
    assert re.fullmatch(f"(╭│{{1,{rows - 3}}}╰)+", frame)  # whole each time
