"""A process in a real memory cgroup that grows until the kernel kills it, and the files it leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from heap_exporter.heapfile.format import SUFFIX, read_header
from tests.integration.test_crash_records import exits
from tests.processes.memory_cgroup import memory_cgroup
from tests.processes.programs import PATIENCE_SECONDS, environment, next_json, program, slowdown

LIMIT_BYTES = 200 * 1024**2

GROWS = """
import json, time
from heap_exporter import start

exporter = start(port=0, interval={interval}, census_interval=3600, window=900)
print(json.dumps(exporter.url), flush=True)
class Session(bytearray):
    pass
kept = []
while True:
    kept.extend(Session(20_000) for _ in range(5))
    time.sleep({pause})
"""


def run_until_killed(folder: Path, interval: float, pause: float) -> None:
    """Run a process that grows until the kernel kills it; 100 kB each ``pause`` seconds, or more on a busy machine."""
    slower = slowdown()
    grows = textwrap.dedent(GROWS.format(interval=interval * slower, pause=pause * slower))
    with memory_cgroup(LIMIT_BYTES) as group:
        join = f"open({str(group / 'cgroup.procs')!r}, 'w').write('0')\n"
        with program(join + grows, folder) as process:
            next_json(process)
            assert process.wait(4 * PATIENCE_SECONDS) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("interval", "pause"),
    [
        pytest.param(0.1, 0.005, id="slowly", marks=pytest.mark.long),
        pytest.param(1.0, 0.003, id="fast, with few samples left"),
    ],
)
def test_a_process_that_reaches_its_memory_limit_leaves_a_census_and_a_snapshot(
    interval: float, pause: float, tmp_path: Path
) -> None:
    run_until_killed(tmp_path, interval, pause)

    snapshots = sorted((tmp_path / "snapshots").glob(f"*{SUFFIX}"))
    (found,) = exits(tmp_path)
    output = subprocess.check_output(
        [sys.executable, "-m", "heap_exporter", "last-exit"], text=True, env=environment(tmp_path), cwd=tmp_path
    )

    assert snapshots
    assert all(read_header(path).reason.startswith("memory is at ") for path in snapshots)
    assert found["ended"] == "oom-kill"
    assert found["limit_bytes"] == LIMIT_BYTES
    assert sorted(found["snapshots"]) == [path.name.removesuffix(SUFFIX) for path in snapshots]
    # The only census after the first one, which had no sessions yet.
    sessions = next(each for each in found["types"] if each["type_name"] == "__main__.Session")
    assert sessions["bytes"] > LIMIT_BYTES / 4
    assert "Session" in output
