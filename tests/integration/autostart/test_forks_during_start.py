"""A program that forks while the exporter starts in it: every child ends, and no fork waits for long."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.processes.installed import environment_with_packages
from tests.processes.programs import environment

MAX_FORK_SECONDS = 2.0

PROGRAM = """
    import os, signal, sys, time
    begun = time.monotonic()
    count, seconds = int(sys.argv[1]), float(sys.argv[2])
    longest, children = 0.0, []
    for number in range(count):
        time.sleep(max(0.0, begun + number * seconds / count - time.monotonic()))
        before = time.monotonic()
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # a child that hangs waits for an import
            import logging, json, socket, dataclasses, pathlib
            os._exit(0)
        longest = max(longest, time.monotonic() - before)
        children.append(child)
    codes = [os.waitpid(child, 0)[1] for child in children]
    import heap_exporter, json
    while heap_exporter.current() is None:
        time.sleep(0.01)
    print(json.dumps({"longest": longest, "failed": sum(code != 0 for code in codes)}))
"""


@pytest.mark.parametrize(
    ("count", "seconds", "delay"), [(40, 0.8, "100ms"), pytest.param(1000, 10, "5s", marks=pytest.mark.long)]
)
def test_forks_while_the_exporter_starts_end_and_wait_at_most_two_seconds(
    count: int, seconds: float, delay: str, tmp_path: Path
) -> None:
    interpreter = environment_with_packages(tmp_path / "venv")
    environ = environment(
        tmp_path,
        HEAP_EXPORTER_AUTOSTART="true",
        HEAP_EXPORTER_AUTOSTART_DELAY=delay,
        HEAP_EXPORTER_PORT="0",
    )
    command = [str(interpreter), "-c", textwrap.dedent(PROGRAM), str(count), str(seconds)]

    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)

    found = json.loads(done.stdout)
    assert found["failed"] == 0
    assert found["longest"] < MAX_FORK_SECONDS
    assert os.listdir(tmp_path / "snapshots")  # the exporter has started
