"""A leak that kills each run of a service within a part of the window is confirmed in the third run."""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path

from heap_exporter.detection.detector import Detector
from heap_exporter.model import ReasonKind, State
from heap_exporter.recording.folder import FOLDER
from heap_exporter.recording.last_exit import find_exits
from heap_exporter.recording.series_reader import read_judged_series
from tests.processes.memory_cgroup import memory_cgroup
from tests.processes.programs import PATIENCE_SECONDS, program, window_settings

MIB = 1 << 20
LIMIT_BYTES, RUNS = 140 * MIB, 3
LIFE_WINDOWS = 0.4

LEAKS = """
open({processes!r}, "w").write("0")
import heap_exporter, time

exporter = heap_exporter.start(http=False)
life_seconds = {life_windows} * exporter.settings.window_seconds
begun, kept = time.monotonic(), []
while True:
    leaked = {limit_bytes} * (time.monotonic() - begun) / life_seconds
    while len(kept) * 65_536 < leaked:
        kept.append(b"*" * 65_536)
    time.sleep(0.01)
"""

SETTINGS = {"HEAP_EXPORTER_SNAPSHOT_ON_LEAK": "0", "HEAP_EXPORTER_WATCH_EXIT": "0"}


def replayed(series: Path, folder: Path) -> list[set[State]]:
    """Return the states of each run in the recordings of a folder, judged again as one series."""
    whole = folder / "all.csv"
    whole.write_text("".join(path.read_text() for path in sorted(series.glob("*.csv"))))
    detector: Detector | None = None
    found: list[set[State]] = []
    for point, thresholds in read_judged_series(whole):
        assert thresholds
        detector = detector or Detector(thresholds)
        if point.restart:
            found.append(set())
        found[-1].add(detector.observe(point).state)
    return found


def test_a_leak_that_kills_each_run_within_a_part_of_the_window_is_confirmed_in_its_third_run(tmp_path: Path) -> None:
    settings = {**SETTINGS, **window_settings(6)}
    with memory_cgroup(LIMIT_BYTES) as group:
        code = textwrap.dedent(LEAKS).format(
            processes=str(group / "cgroup.procs"), limit_bytes=LIMIT_BYTES, life_windows=LIFE_WINDOWS
        )
        for _ in range(RUNS):
            with program(code, tmp_path, **settings) as process:
                assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL

    series = tmp_path / "snapshots" / FOLDER
    verdicts = [process_exit.verdict for _, process_exit in reversed(find_exits(series)[0])]
    assert [verdict and verdict.state for verdict in verdicts] == [State.WARMING_UP, State.WARMING_UP, State.CONFIRMED]
    assert verdicts[-1]
    assert ReasonKind.EARLIER_RUNS in {reason.kind for reason in verdicts[-1].reasons}
    *earlier, third = replayed(series, tmp_path)
    assert earlier == [{State.WARMING_UP}] * (RUNS - 1)
    assert State.CONFIRMED in third
