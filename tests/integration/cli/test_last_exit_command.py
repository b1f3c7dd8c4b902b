"""``heap-exporter last-exit``: what an operator reads after a crash."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from heap_exporter.report.sparkline import BARS
from tests.processes.commands import Run

DIES = """
import os, sys, time
from pathlib import Path
from heap_exporter.recording.ring import open_ring
from heap_exporter.model import Cause, Census, Point, State, TypeCount, Verdict

MIB = 1024**2
now = time.time()
ring = open_ring(Path("snapshots/blackbox"), now - 7200)
for index in range(240):
    rss = (100 + index) * MIB
    ring.record(
        Point(now - 3600 + 15 * index, rss, anonymous_bytes=rss - 10 * MIB, limit_bytes=int(sys.argv[1]) * MIB), None
    )
ring.record_census(Census(now, 1, 1, 1, "native", (TypeCount("shop.Session", 48210, 61 * MIB),), ()))
ring.record_verdict(Verdict(now, State.CONFIRMED, ("grew by 60 MiB in 15 min",), 900.0, cause=Cause.PYTHON_OBJECTS))
ring.record_evidence(["20261122T150000Z-1-abcd"])
os._exit(1)
"""


@pytest.fixture
def dies(tmp_path: Path) -> Path:
    """A folder of snapshots in which a process under a limit of 2 GiB has left its black box."""
    return died(tmp_path, 2048)


def died(folder: Path, limit_mib: int) -> Path:
    subprocess.run([sys.executable, "-c", textwrap.dedent(DIES), str(limit_mib)], cwd=folder, check=False)
    return folder / "snapshots"


def test_it_tells_what_memory_did_before_the_end(dies: Path, run: Run) -> None:
    told = run("last-exit", dies).stdout

    assert "was killed or crashed" in told
    assert "100 MiB → 339 MiB in RAM within 60 min, 17% of its limit of 2.0 GiB" in told
    assert f"{BARS[0] * 7}" in told
    assert "growth         +240 MiB/h over the last 15 min" in told
    assert "confirmed (python-objects)" in told
    assert "- grew by 60 MiB in 15 min" in told
    assert "61.0 MiB       48,210 x shop.Session" in told
    assert "20261122T150000Z-1-abcd" in told


def test_memory_at_the_limit_is_named(tmp_path: Path, run: Run) -> None:
    told = run("last-exit", died(tmp_path, 350)).stdout

    assert "was killed for lack of memory" in told
    assert "97% of its limit of 350 MiB" in told


def test_earlier_exits_are_a_line_each(dies: Path, run: Run) -> None:
    died(dies.parent, 350)

    told = run("last-exit", dies).stdout

    assert told.count("339 MiB, confirmed, snapshots 20261122T150000Z-1-abcd") == 1
    assert "before that:" in told


def test_the_document_has_every_sample(dies: Path, run: Run) -> None:
    document = json.loads(run("last-exit", dies, "--json").stdout)

    (found,) = document["exits"]
    columns = found["samples"]["columns"]
    assert (document["document"], document["version"], document["damaged"]) == ("last-exit", 1, [])
    assert (found["ended"], found["verdict"]["state"], found["verdict"]["cause"]) == (
        "killed", "confirmed", "python-objects",
    )  # fmt: skip  # one comparison
    assert len(found["samples"]["rows"]) == 240
    assert found["samples"]["rows"][-1][columns.index("rss_bytes")] == found["resident_bytes"] == 339 * 1024**2
    assert found["slope_bytes_per_second"] == pytest.approx(1024**2 / 15)
    assert found["types"] == [{"type_name": "shop.Session", "objects": 48210, "bytes": 61 * 1024**2}]


def test_the_folder_of_the_settings_is_the_default_and_the_black_boxes_own_will_do(dies: Path, run: Run) -> None:
    named = run("last-exit", dies).stdout.splitlines()[0]

    assert run("last-exit").stdout.splitlines()[0] == named
    assert run("last-exit", dies / "blackbox").stdout.splitlines()[0] == named


def test_to_look_changes_nothing(dies: Path, run: Run) -> None:
    before = [(path.name, path.read_bytes()) for path in (dies / "blackbox").iterdir()]

    run("last-exit", dies)

    assert [(path.name, path.read_bytes()) for path in (dies / "blackbox").iterdir()] == before


def test_where_nothing_died_it_says_so(tmp_path: Path, run: Run) -> None:
    assert "none was killed, or none has written there" in run("last-exit", tmp_path).stdout
    assert "none was killed, or none has written there" in run("last-exit").stdout
    assert json.loads(run("last-exit", "--json").stdout)["exits"] == []


def test_a_folder_that_is_none_is_one_line(tmp_path: Path, run: Run) -> None:
    problem = run("last-exit", tmp_path / "nowhere", code=2).stderr

    assert problem.count("\n") == 1
    assert "nowhere is no folder; give the one that the service has as HEAP_EXPORTER_SNAPSHOT_DIR" in problem


def test_what_cannot_be_read_is_not_taken_for_an_empty_folder(tmp_path: Path, run: Run) -> None:
    (tmp_path / "blackbox").write_text("in the way")

    problem = run("last-exit", tmp_path, code=2).stderr

    assert "blackbox: Not a directory; ask as the user whom the service runs as" in problem


def test_a_damaged_file_is_told_of(dies: Path, run: Run) -> None:
    (dies / "blackbox" / "1795365938-15964-c824b9df.exit").write_bytes(b"nothing")

    told = run("last-exit", dies).stdout

    assert "was killed or crashed" in told
    assert "1795365938-15964-c824b9df.exit cannot be read: it is no black box, or its head is damaged" in told
