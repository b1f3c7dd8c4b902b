"""A clone ends with the process and the thread that wait for it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from tests.native.runs import outcome
from tests.processes.programs import PATIENCE_SECONDS, eventually, next_json

ROUNDS = 100

HUNG_FOR_EVER = """
    import json, os, sys, threading, time
    from tests.native.clones import begin, hanging
    def hang():
        walk = begin()
        print(json.dumps(walk.pid), flush=True)
        return walk
    with hanging():
"""

ENDS = {
    "killed": "walk = hang(); time.sleep(60)",
    "ended": "walk = hang(); sys.stdin.readline(); os._exit(0)",
    "ended by its main thread": "threading.Thread(target=lambda: [hang(), time.sleep(60)], daemon=True).start(); "
    "sys.stdin.readline(); os._exit(0)",
    "replaced by its main thread": "threading.Thread(target=lambda: [hang(), time.sleep(60)], daemon=True).start(); "
    "sys.stdin.readline(); os.execvp('sleep', ['sleep', '60'])",
}


@pytest.mark.parametrize("way", ENDS)
def test_a_clone_ends_with_its_process(way: str, start: Callable[[str], Popen[str]]) -> None:
    process = start(HUNG_FOR_EVER + f"        {ENDS[way]}\n")
    clone = next_json(process)
    eventually(lambda: is_clone(clone))  # before it sets its name, it has that of its thread

    assert process.stdin is not None
    if way == "killed":
        process.send_signal(signal.SIGKILL)
    else:
        process.stdin.write("\n")
        process.stdin.flush()
    if not way.startswith("replaced"):
        process.wait(PATIENCE_SECONDS)
    began = time.monotonic()
    eventually(lambda: not is_clone(clone))
    print(f"gone after {time.monotonic() - began:.2f} s")


def test_a_clone_ends_with_the_thread_that_walks(start: Callable[[str], Popen[str]]) -> None:
    process = start(HUNG_FOR_EVER + "        kept = []; threading.Thread(target=lambda: kept.append(hang())).start(); "
                    "time.sleep(60)\n")  # fmt: skip  # one program
    clone = next_json(process)

    eventually(lambda: not is_clone(clone))


def test_a_clone_ends_when_its_walk_is_deleted(start: Callable[[str], Popen[str]]) -> None:
    process = start(HUNG_FOR_EVER + "        hang(); time.sleep(60)\n")
    clone = next_json(process)

    eventually(lambda: not Path(f"/proc/{clone}").exists())


def is_clone(pid: int) -> bool:
    """Return whether a process is there, alive, and a clone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    name, _, rest = status.rpartition(")")
    return rest.split()[0] not in "ZX" and name.endswith(("(heap-exporter", "(python"))


def test_threads_that_kill_one_clone_at_once_all_return(tmp_path: Path) -> None:
    code = f"""
        import json, os, sys, threading
        from tests.native.clones import begin, children
        os.setsid()  # a wrong kill must not hit the test's process group
        sys.setswitchinterval(1e-5)
        walks, gone, stopping = [begin()], set(), threading.Event()
        def kill_on():
            while not stopping.is_set():
                gone.add(walks[-1].kill())
        killers = [threading.Thread(target=kill_on) for _ in range(3)]
        for killer in killers: killer.start()
        for _ in range({ROUNDS}):
            walks.append(begin())
            gone.add(walks[-1].kill())
        stopping.set()
        for killer in killers: killer.join()
        reaped = sum(walk.result()["was_reaped"] for walk in walks)
        print(json.dumps({{"gone": sorted(gone), "reaped": reaped, "left": children()}}))
        """
    assert outcome(code, tmp_path) == {"gone": [True], "reaped": ROUNDS + 1, "left": []}
