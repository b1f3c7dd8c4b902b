"""Services that are really killed, and what their next start shows."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.processes.exits import exit_codes
from tests.processes.memory_cgroup import memory_cgroup
from tests.processes.programs import (
    PATIENCE_SECONDS,
    environment,
    eventually,
    get_json,
    metrics,
    next_json,
    program,
    window_settings,
)

LEAKS = """
import json, sys, time
from heap_exporter import start

exporter = start(port=0)
print(json.dumps(exporter.url), flush=True)
class Session(bytearray):
    pass
kept = []
while True:
    kept.extend(Session(20_000) for _ in range(25))
    time.sleep(0.01)
"""

NO_SNAPSHOTS = {"HEAP_EXPORTER_SNAPSHOT_ON_LEAK": "0"}

SUCCESSOR = """
import json, sys
from heap_exporter import start
print(json.dumps(start(port=0).url), flush=True)
sys.stdin.read()
"""


def last_exit(folder: Path, *options: str) -> str:
    """Return the output of the command."""
    command = [sys.executable, "-m", "heap_exporter", "last-exit", *options]
    return subprocess.check_output(command, text=True, env=environment(folder), cwd=folder)


def exits(folder: Path) -> list[dict[str, Any]]:
    """Return the exits in the output of the command, the last one first."""
    return list(json.loads(last_exit(folder, "--json"))["exits"])


def test_after_a_sigkill_the_next_start_shows_what_memory_did(tmp_path: Path) -> None:
    with program(LEAKS, tmp_path, **NO_SNAPSHOTS, **window_settings(2)) as process:
        url = next_json(process)
        eventually(lambda: metrics(url), lambda found: found["python_heap_resident_bytes"] > 80 * 1024**2)
        eventually(lambda: get_json(f"{url}verdict"), lambda found: found.get("state") not in (None, "warming-up"))
        seen = metrics(url)
        sampled_at = seen["heap_exporter_last_sample_timestamp_seconds"]  # recorded before the next one is published
        eventually(lambda: metrics(url)["heap_exporter_last_sample_timestamp_seconds"], lambda at: at > sampled_at)
        eventually(lambda: exit_codes(tmp_path))
        process.kill()
        process.wait()
    eventually(lambda: exit_codes(tmp_path)[process.pid])

    (found,) = exits(tmp_path)
    columns, rows = found["samples"]["columns"], found["samples"]["rows"]
    resident = {row[columns.index("t_seconds")]: row[columns.index("rss_bytes")] for row in rows}

    assert found["pid"] == process.pid
    assert found["ended"] == "killed"
    assert resident[sampled_at] == seen["python_heap_resident_bytes"]
    assert found["process_started_at"] == seen["python_heap_process_start_time_seconds"]
    assert found["resident_bytes"] >= seen["python_heap_resident_bytes"]
    assert found["slope_bytes_per_second"] > 1024**2
    assert found["verdict"]["state"] in ("growing", "suspected", "confirmed", "steady")
    assert found["types"][0]["type_name"].endswith("Session")

    with program(SUCCESSOR, tmp_path) as successor:
        url = next_json(successor)
        after = eventually(lambda: metrics(url), lambda found: "heap_exporter_last_exit_timestamp_seconds" in found)

    assert after["heap_exporter_last_exit_timestamp_seconds"] == found["last_sample_at"]
    assert after["heap_exporter_last_exit_resident_bytes"] == found["resident_bytes"]
    assert after["heap_exporter_last_exit_slope_bytes_per_second"] == found["slope_bytes_per_second"]
    assert after['heap_exporter_last_exit{ended="killed"}'] == 1


@pytest.mark.long
def test_a_process_killed_during_a_suspicion_records_its_first_snapshot(tmp_path: Path) -> None:
    with program(LEAKS, tmp_path, **window_settings(6)) as process:
        url = next_json(process)
        taken = eventually(lambda: get_json(f"{url}snapshots")["snapshots"], bool)
        first = min(taken, key=lambda snapshot: snapshot["taken_at"])  # its second may have followed meanwhile
        taken_at = Path(first["path"]).stat().st_mtime
        eventually(lambda: metrics(url)["heap_exporter_last_sample_timestamp_seconds"], lambda at: at > taken_at)
        process.kill()
        process.wait()
    output = last_exit(tmp_path)

    assert first["id"] in exits(tmp_path)[0]["snapshots"]
    assert f"heap-exporter report {first['path']}" in output


def test_a_snapshot_that_was_requested_is_on_record_although_the_folder_of_recordings_was_removed(
    tmp_path: Path,
) -> None:
    with program(SUCCESSOR, tmp_path) as process:
        url = next_json(process)
        series = tmp_path / "snapshots" / "series"
        eventually(lambda: list(series.glob("*.json")))
        removed_at = time.time()
        series.rename(tmp_path / "removed")  # at once: the process makes files in it while they are removed
        shutil.rmtree(tmp_path / "removed")
        eventually(lambda: list(series.glob("*.json")))
        request = urllib.request.Request(f"{url}snapshots", method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            taken = json.load(answer)
        eventually(lambda: any(taken["id"] in path.read_text() for path in series.glob("*.json")))
        process.kill()
        process.wait()

    (found,) = exits(tmp_path)

    assert found["snapshots"] == [taken["id"]]
    assert found["samples"]["rows"][0][found["samples"]["columns"].index("t_seconds")] < removed_at


def test_a_process_that_stops_cleanly_is_no_kill(tmp_path: Path) -> None:
    with program(SUCCESSOR, tmp_path) as process:
        next_json(process)
        eventually(lambda: list((tmp_path / "snapshots" / "series").glob("*.json")))
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0

    assert not list((tmp_path / "snapshots" / "series").glob("*.json"))
    (found,) = exits(tmp_path)
    assert found["ended"] == "stopped"
    assert found["ended_why"].startswith("Python ended normally")


def test_a_process_that_aborts_without_memory_is_an_exit(tmp_path: Path) -> None:
    code = """
        import json, os, resource, sys, time
        from heap_exporter import start
        exporter = start(port=0, interval=0.05, census_interval=60, window=2)
        print(json.dumps(exporter.url), flush=True)
        now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + 100 * 1024**2,) * 2)
        kept = []
        try:
            while True:
                kept.append(bytearray(1024**2))
                time.sleep(0.01)
        except MemoryError:
            os.abort()
    """
    with program(code, tmp_path) as process:
        next_json(process)
        assert process.wait(PATIENCE_SECONDS) == -signal.SIGABRT

    (found,) = exits(tmp_path)
    columns, rows = found["samples"]["columns"], found["samples"]["rows"]

    assert found["resident_bytes"] - rows[0][columns.index("rss_bytes")] > 50 * 1024**2


def test_after_an_oom_kill_the_next_start_names_the_reason(tmp_path: Path) -> None:
    with memory_cgroup(120 * 1024**2) as group:
        join = f"open({str(group / 'cgroup.procs')!r}, 'w').write('0')\n"
        with program(join + textwrap.dedent(LEAKS), tmp_path, **NO_SNAPSHOTS, **window_settings(2)) as process:
            next_json(process)
            assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
        with program(join + textwrap.dedent(SUCCESSOR), tmp_path) as successor:
            url = next_json(successor)
            after = eventually(lambda: metrics(url), lambda found: "heap_exporter_last_exit_timestamp_seconds" in found)
            successor.kill()
            successor.wait()

    found = exits(tmp_path)[-1]

    assert found["ended"] == "oom-kill"
    assert found["ended_why"].startswith("since the last sample, the kernel has killed a process in this cgroup")
    assert found["limit_bytes"] == 120 * 1024**2
    assert found["resident_bytes"] > 60 * 1024**2
    assert after["heap_exporter_last_exit_limit_bytes"] == 120 * 1024**2
    assert after['heap_exporter_last_exit{ended="oom-kill"}'] == 1


def test_the_worker_that_replaces_a_killed_one_claims_its_crash_record(tmp_path: Path) -> None:
    code = """
        import json, os, sys, time
        from heap_exporter import start
        start(port=0, interval=0.05, window=2)

        def worker():
            pid = os.fork()
            if not pid:
                time.sleep(60)
                os._exit(0)
            return pid

        for _ in range(2):
            print(json.dumps(worker()), flush=True)
            sys.stdin.readline()
    """
    folder = tmp_path / "snapshots" / "series"
    with program(code, tmp_path) as master:
        assert master.stdin is not None
        first = next_json(master)
        eventually(lambda: [path for path in folder.glob(f"*-{first}.csv") if path.read_bytes().count(b"\n") > 1])
        eventually(lambda: first in exit_codes(tmp_path))
        os.kill(first, signal.SIGKILL)
        eventually(lambda: exit_codes(tmp_path)[first])
        (found,) = exits(tmp_path)
        master.stdin.write("\n")
        master.stdin.flush()
        second = next_json(master)
        try:
            eventually(lambda: [path for path in folder.glob(f"*-{first}.json") if b"ending" in path.read_bytes()])
            eventually(lambda: list(folder.glob(f"*-{second}.json")))

            assert found["pid"] == first
            assert len(list(folder.glob(f"*-{master.pid}.json"))) == 1
        finally:
            os.kill(second, signal.SIGKILL)
