"""``heap-exporter last-exit``: the last exits of a service."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from heap_exporter.report.sparkline import BARS
from tests.examples.readings import GREW_TEXT
from tests.processes.commands import Run
from tests.rows import first

KILLED = """
import os, sys, time
from pathlib import Path
from heap_exporter.recording.recorder import Recorder
from heap_exporter.model import Cause, Census, Point, Reason, ReasonKind, State, TypeCount, Verdict

MIB = 1024**2
GREW = Reason(ReasonKind.GREW, {"gained_bytes": 60 * MIB, "seconds": 900, "slope_bytes_per_second": MIB / 15})
now = time.time()
recorder = Recorder(Path("snapshots"), now - 7200)
for index in range(240):
    rss = (100 + index) * MIB
    recorder.record(
        Point(now - 3600 + 15 * index, rss, anonymous_bytes=rss - 10 * MIB, limit_bytes=int(sys.argv[1]) * MIB),
        None,
        Census(now, 1, 1, 1, "native", (TypeCount("shop.Session", 48210, 61 * MIB),), ()) if index == 239 else None,
    )
recorder.record_verdict(Verdict(now, State.CONFIRMED, (GREW,), 900.0, cause=Cause.PYTHON_OBJECTS))
recorder.record_snapshots(["20261122T150000Z-1-abcd"])
recorder.path.with_suffix(".exit").write_text(sys.argv[2])
os._exit(1)
"""


@pytest.fixture
def exits(tmp_path: Path) -> Path:
    """Return a snapshot folder with the crash record of a process under a limit of 2 GiB."""
    return killed_process(tmp_path, 2048)


def killed_process(folder: Path, limit_mib: int, seen: str = "-9") -> Path:
    subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(limit_mib), seen], cwd=folder, check=False)
    return folder / "snapshots"


def test_it_shows_the_memory_before_the_exit(exits: Path, run: Run) -> None:
    shown = run("last-exit", exits, "--verbose").stdout

    assert " was killed\n  reason         SIGKILL ended it" in shown
    assert "100 MiB → 339 MiB in RAM within 60 min, 17% of its limit of 2.0 GiB" in shown
    assert f"{BARS[0] * 7}" in shown
    assert "growth         +240 MiB/h over the last 15 min" in shown
    assert "A leak is confirmed in Python objects" in shown
    assert f"- {GREW_TEXT}" in shown
    assert "61.0 MiB       48,210 x shop.Session" in shown
    assert "20261122T150000Z-1-abcd" in shown


def test_memory_at_the_limit_is_an_oom_kill(tmp_path: Path, run: Run) -> None:
    shown = run("last-exit", killed_process(tmp_path, 350)).stdout

    assert "was killed because memory ran out" in shown
    assert "97% of its limit of 350 MiB" in shown


def test_earlier_exits_are_one_line_each(exits: Path, run: Run) -> None:
    killed_process(exits.parent, 350)

    shown = run("last-exit", exits).stdout

    assert shown.count("339 MiB, confirmed, snapshots 20261122T150000Z-1-abcd") == 1
    assert "other exits:" in shown


def test_a_kill_is_shown_in_detail_although_stops_came_later(exits: Path, run: Run) -> None:
    killed_process(exits.parent, 2048, "-15")
    killed_process(exits.parent, 2048, "155")

    shown = run("last-exit", exits).stdout

    lines = shown.splitlines()
    assert lines[0].startswith("last exit: ")
    assert "stopped, exit code 155" in lines[0]
    assert lines[2] == "last exit that was not a stop:"
    assert lines[3].endswith(" was killed")
    assert shown.index("was killed") < shown.index("other exits:") < shown.index("stopped, SIGTERM")
    assert shown.count("exit code 155") == 1


@pytest.mark.parametrize(
    ("seen", "text"),
    first(2, [
        (
            "-15",
            " stopped\n  reason         SIGTERM ended it: the service does not handle this signal, or",
        ),
        ("155", " stopped\n  reason         it called os._exit(155)"),
        ("-9 with-parent", " stopped\n  reason         the kernel sent it SIGKILL because its parent"),
        ("-11", " crashed\n  reason         SIGSEGV ended it"),
        ("", " ended without a clean stop, for an unknown reason\n  reason         it was ended by a signal"),
    ]),
)  # fmt: skip  # a table
def test_the_reason_names_the_signal_or_the_exit_code(seen: str, text: str, tmp_path: Path, run: Run) -> None:
    assert text in run("last-exit", killed_process(tmp_path, 2048, seen)).stdout


def test_the_document_has_every_sample(exits: Path, run: Run) -> None:
    document = json.loads(run("last-exit", exits, "--json").stdout)

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


def test_the_folder_is_that_of_the_settings_or_of_the_crash_records(exits: Path, run: Run) -> None:
    named = run("last-exit", exits).stdout.splitlines()[0]

    assert run("last-exit").stdout.splitlines()[0] == named
    assert run("last-exit", exits / "series").stdout.splitlines()[0] == named


def test_the_command_changes_no_file(exits: Path, run: Run) -> None:
    before = [(path.name, path.read_bytes()) for path in (exits / "series").iterdir()]

    run("last-exit", exits)

    assert [(path.name, path.read_bytes()) for path in (exits / "series").iterdir()] == before


def test_a_folder_without_crash_records_is_not_an_error(tmp_path: Path, run: Run) -> None:
    assert "has ended" in run("last-exit", tmp_path).stdout
    assert "has ended" in run("last-exit").stdout
    assert json.loads(run("last-exit", "--json").stdout)["exits"] == []


def test_a_missing_folder_is_one_line_on_stderr(tmp_path: Path, run: Run) -> None:
    problem = run("last-exit", tmp_path / "nowhere", code=2).stderr

    assert problem.count("\n") == 1
    assert "nowhere is not a folder; give the folder that the service uses (HEAP_EXPORTER_SNAPSHOT_DIR)" in problem


def test_an_unreadable_folder_is_an_error(tmp_path: Path, run: Run) -> None:
    (tmp_path / "series").write_text("in the way")

    problem = run("last-exit", tmp_path, code=2).stderr

    assert "series: Not a directory; run the command as the user that runs the service" in problem


def test_a_damaged_file_is_listed(exits: Path, run: Run) -> None:
    (notes,) = (exits / "series").glob("*.json")
    killed_process(exits.parent, 2048)
    notes.write_bytes(b"nothing")

    shown = run("last-exit", exits).stdout

    assert "was killed" in shown
    assert f"{notes.name} cannot be read: it is not a crash record, or it is damaged" in shown
