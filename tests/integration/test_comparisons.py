"""A running service shows what grew and what holds it after its second snapshot."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes.programs import environment, eventually, get, get_json, next_json, program, slowdown

SERVICE = """
import json, os, signal, sys, threading
import heap_exporter

class Session:
    def __init__(self): self.cart = list(range(100_000, 100_030))

SESSIONS = {}
heard = []
signal.signal(signal.SIGCHLD, lambda *_: heard.append(1))
exporter = heap_exporter.start(port=0, interval=0.1)
print(json.dumps(exporter.url), flush=True)
for line in sys.stdin:
    SESSIONS.update((f"<b>{len(SESSIONS) + i}</b>", Session()) for i in range(int(line)))
    print(json.dumps({"sessions": len(SESSIONS), "heard": heard}), flush=True)
"""


PARENTS = {
    "without the extension": """
import sys
sys.modules["heap_exporter._native"] = None
""",
    "first of its container": """
import ctypes
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # a subreaper: it gets the orphans
""",
}
"""What makes a process the parent of the program that compares."""

EACH_PARENT = pytest.mark.parametrize(
    "parent",
    [
        pytest.param(PARENTS["without the extension"], id="without the extension", marks=pytest.mark.long),
        pytest.param(PARENTS["first of its container"], id="first of its container"),
    ],
)

COMPARES = """
import json, sys, time
from pathlib import Path
import heap_exporter

def children():
    return [pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]

held = [[] for _ in range(200_000)]
exporter = heap_exporter.start(
    http=False, interval=float(sys.stdin.readline()), census_interval=86400
)
while exporter.monitor.reading().census is None:  # a census walks in a child too
    time.sleep(0.01)
exporter.snapshot()
second = exporter.snapshot()
print(json.dumps(children()), flush=True)
if sys.stdin.readline() == "stop\\n":
    exporter.stop()
print(json.dumps([children(), exporter.monitor.snapshots.comparisons.state(second.id).state]), flush=True)
sys.stdin.readline()
"""


def grow(process: subprocess.Popen[str], sessions: int) -> Any:
    assert process.stdin is not None
    print(sessions, file=process.stdin, flush=True)
    return next_json(process)


def compared(url: str) -> Any:
    """Take a snapshot and return it once it has been compared with the one before."""
    taken = get_json(f"{url}snapshots", data=b"")
    return eventually(
        lambda: get_json(f"{url.rstrip('/')}{taken['url']}"), lambda found: found["comparison"]["state"] != "running"
    )


def test_the_second_snapshot_shows_what_grew_and_what_holds_it(tmp_path: Path) -> None:
    with program(SERVICE, tmp_path) as process:
        url = next_json(process)
        first = get_json(f"{url}snapshots", data=b"")
        assert get_json(f"{url.rstrip('/')}{first['url']}")["comparison"] is None
        grow(process, 4000)
        second = compared(url)
        heard = grow(process, 0)["heard"]
        status, page = get_json(url), get(url, "text/html")
        [link] = re.findall(r'<a href="(/snapshots/[^"]*/report)">', page)
        report = get(f"{url.rstrip('/')}{link}")

    comparison = second["comparison"]
    suspect = comparison["suspects"][0]
    assert (comparison["state"], comparison["before_id"]) == ("written", first["id"])
    assert (suspect["type_name"], suspect["holder"]) == ("__main__.Session", "__main__.SESSIONS")
    assert suspect["objects"]["growth"] == 4000
    assert suspect["total_bytes"]["growth"] > 4000 * 1000
    assert status["comparison"] == comparison
    assert link == comparison["report_url"] == f"{second['url']}/report"
    assert "<code>__main__.SESSIONS</code>" in report
    assert f"{first['id']}.heap → {second['id']}.heap" in report
    assert "<p>Held by <code>__main__.SESSIONS</code> → dict value → <code>Session</code></p>" in page
    assert heard == []


def test_a_service_that_stopped_growing_has_no_suspect(tmp_path: Path) -> None:
    with program(SERVICE, tmp_path) as process:
        url = next_json(process)
        grow(process, 4000)
        get_json(f"{url}snapshots", data=b"")
        comparison = compared(url)["comparison"]

    assert comparison["suspects"] == []
    assert "no leak suspect found" in comparison["verdict"]


def test_the_demo_ends_with_the_name_of_the_holder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "heap_exporter", "demo", "--once", "--port=0", "--shop-port=0", "--visitors=30"]
    window = f"--window={8 * slowdown():.0f}"
    ran = subprocess.run(
        [*command, window], capture_output=True, text=True, env=environment(tmp_path), timeout=300, check=False
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "  Session objects are accumulating: +" in ran.stdout
    assert "  Held by shop.sessions.SESSIONS → dict value → Session. Allocated at " in ran.stdout


def test_two_workers_compare_each_their_own(tmp_path: Path) -> None:
    with program(SERVICE, tmp_path) as one, program(SERVICE, tmp_path) as other:
        urls = next_json(one), next_json(other)
        for url in urls:
            get_json(f"{url}snapshots", data=b"")
        grow(one, 4000)
        comparisons = [compared(url)["comparison"] for url in urls]

    assert [len(found["suspects"]) for found in comparisons] == [1, 0]
    assert json.dumps(comparisons[0]["suspects"]).count("__main__.SESSIONS")


@EACH_PARENT
def test_a_program_that_has_ended_is_reaped_with_the_next_sample(parent: str, tmp_path: Path) -> None:
    with program(parent + COMPARES, tmp_path) as process:
        assert process.stdin
        print("0.2", file=process.stdin, flush=True)
        [child] = next_json(process)
        eventually(lambda: not Path(f"/proc/{child}").exists(), seconds=90)  # a zombie would still be there
        print("go on", file=process.stdin, flush=True)

        assert next_json(process) == [[], "written"]


@EACH_PARENT
def test_a_stop_ends_a_running_comparison_that_no_other_process_would_reap(parent: str, tmp_path: Path) -> None:
    with program(parent + COMPARES, tmp_path) as process:
        assert process.stdin
        print("60", file=process.stdin, flush=True)
        assert len(next_json(process)) == 1
        print("stop", file=process.stdin, flush=True)

        assert next_json(process) == [[], "failed"]


def test_a_stop_leaves_a_comparison_running_that_is_no_child_of_the_service(tmp_path: Path) -> None:
    with program(COMPARES, tmp_path) as process:
        assert process.stdin
        print("60", file=process.stdin, flush=True)
        assert next_json(process) == []
        print("stop", file=process.stdin, flush=True)
        assert next_json(process)[0] == []
        process.communicate()

    eventually(lambda: list((tmp_path / "snapshots").glob("*.report.json")), seconds=90)
