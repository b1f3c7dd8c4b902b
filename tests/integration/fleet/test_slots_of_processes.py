"""Slots taken by real processes: at once, after a kill, and after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heap_exporter.fleet.slots import FOLDER, members, take_slot
from tests.processes.programs import next_json, program

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # other tests may have left threads

CHILDREN = 64

TAKES_A_SLOT_IN_MANY_CHILDREN = """
import os, sys
from pathlib import Path
from heap_exporter.fleet.slots import take_slot
start, go = os.pipe()
for _ in range(int(sys.argv[2])):
    if os.fork() == 0:
        os.close(go)
        os.read(start, 1)
        slot = take_slot(Path(sys.argv[1]), "shop")
        os.write(1, f"{slot.member.worker} {os.getpid()}\\n".encode())
        sys.stdin.readline()
        os._exit(0)
os.close(go)  # all begin at once
os.close(start)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


def test_processes_that_begin_at_once_have_different_numbers_and_a_killed_one_frees_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TAKES_A_SLOT_IN_MANY_CHILDREN, str(tmp_path), str(CHILDREN)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = dict(parent.stdout.readline().split() for _ in range(CHILDREN))
        assert sorted(map(int, pids)) == list(range(CHILDREN))
        assert {each.worker: str(each.pid) for each in members(tmp_path)} == pids

        killed = pids["7"]
        os.kill(int(killed), 9)
        while _runs(killed):
            pass

        assert "7" not in {each.worker for each in members(tmp_path)}
        slot = take_slot(tmp_path, "shop")
        assert slot.member.worker == "7"
        slot.release()
        parent.communicate("\n" * CHILDREN)


def test_a_forked_child_takes_a_slot_of_its_own_and_cannot_release_that_of_its_parent(tmp_path: Path) -> None:
    slot = take_slot(tmp_path, "shop")
    pid = os.fork()
    if pid == 0:
        slot.release()
        own = take_slot(tmp_path, "shop")
        workers = [(each.worker, each.pid) for each in members(tmp_path)]
        is_right = own.member.worker == "1" and workers == [("0", os.getppid()), ("1", os.getpid())]
        os._exit(0 if is_right else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [each.worker for each in members(tmp_path)] == ["0"]
    assert (tmp_path / FOLDER / "shop-1.lock").exists()
    slot.release()


ROLES = """
import heap_exporter, json, os, signal, time
exporter = heap_exporter.start(http=False, interval=0.1, census_interval=0.2, census_cpu=100)

def report(role):
    while (reading := exporter.monitor.reading()).member is None or reading.role != role:
        time.sleep(0.02)
    print(json.dumps([reading.member.worker, reading.member.service, role]), flush=True)

report("single")
has_reported, says_so = os.pipe()
child = os.fork()
if child == 0:
    report("child")
    os.write(says_so, b"x")
    signal.pause()
report("parent")
os.read(has_reported, 1)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
report("single")
"""


def test_a_process_has_a_role_while_its_child_lives(tmp_path: Path) -> None:
    with program(ROLES, tmp_path, HEAP_EXPORTER_SERVICE="shop") as process:
        reported = [next_json(process) for _ in range(4)]

    assert sorted(reported[1:3]) == [["0", "shop", "parent"], ["1", "shop", "child"]]
    assert reported[0] == reported[3] == ["0", "shop", "single"]


def _runs(pid: str) -> bool:
    """Return whether a process still holds its locks: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
