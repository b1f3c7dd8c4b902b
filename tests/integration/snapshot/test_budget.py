"""The budget of snapshots that several processes share."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from heap_exporter.snapshot.file_names import BUDGET_FILE

REQUEST = """
import sys, time
from pathlib import Path
from heap_exporter.snapshot import budget as module
from heap_exporter.snapshot.store import Store
module.LOCK_SECONDS = 60.0  # however slow the other processes are
budget = module.Budget(Store(Path(sys.argv[1]), 5), 3600, 12)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    refusal = budget.request(f"leak {number}")
    print("granted" if refusal is None else refusal.reason, flush=True)
"""


def asking(folder: Path, times: int = 1) -> subprocess.Popen[str]:
    """Run a process that requests a snapshot once it reads a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", REQUEST, folder, str(times)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_one_of_eight_workers_that_request_at_once_is_granted(tmp_path: Path) -> None:
    workers = [asking(tmp_path) for _ in range(8)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    answers = sorted(worker.communicate(timeout=60)[0] for worker in workers)

    assert answers.count("granted\n") == 1
    assert [answer for answer in answers if answer.startswith("the cooldown of this leak started")] == answers[1:]
    assert [path.name for path in tmp_path.iterdir()] == [BUDGET_FILE]


def test_workers_that_are_killed_at_any_moment_damage_nothing(tmp_path: Path) -> None:
    granted = 0
    for _ in range(6):
        worker = asking(tmp_path, times=1000)
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
        granted += worker.stdout.readline() == "granted\n"
        worker.send_signal(signal.SIGKILL)
        granted += worker.communicate()[0].count("granted\n")

    noted = json.loads((tmp_path / BUDGET_FILE).read_bytes())["granted"]
    assert granted <= sum(grant["snapshots"] for grant in noted) <= 12
    assert len({grant["fingerprint"] for grant in noted}) == len(noted)
