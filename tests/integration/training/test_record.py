"""The programs of the training corpus are recorded as services are."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from heap_exporter.recording.csv_format import HEADER
from heap_exporter.recording.series_reader import read_judged_series
from training.record import recordings

ROOT = Path(__file__).parents[3]
INTERVAL, WINDOW = 0.1, 20.0


def run(path: Path, program: str, seconds: float, max_growth: float = 1e9) -> int:
    """Record a program, and return its exit code."""
    path.write_text(HEADER)
    command = [
        sys.executable, "-m", "training.programs.run", program, "seed", str(path), f"--began={time.monotonic()}",
        f"--seconds={seconds}", f"--window={WINDOW}", f"--interval={INTERVAL}", f"--max-growth={max_growth}",
    ]  # fmt: skip  # one command
    return subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode


def test_a_program_is_recorded_until_its_time_is_over(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"

    assert run(path, "leaking.closures", 1.5) == 0

    rows = list(read_judged_series(path))
    assert [row.point.restart for row in rows[:2]] == [True, False]
    assert rows[0].point.n_objects
    assert rows[-1].point.rss_bytes
    assert {row.thresholds.window_seconds for row in rows if row.thresholds} == {WINDOW}


def test_a_program_that_grows_over_its_limit_is_killed(tmp_path: Path) -> None:
    assert run(tmp_path / "series.csv", "leaking.closures", 600, max_growth=-1e9) == -9


def test_every_program_is_recorded_once_at_least() -> None:
    names = [one.name for one in recordings()]

    assert len(names) == len(set(names)) >= 60


@pytest.mark.long
@pytest.mark.parametrize("program", sorted({one.program for one in recordings()}))
def test_the_program_runs(program: str, tmp_path: Path) -> None:
    path = tmp_path / "series.csv"

    assert run(path, program, 5) == 0
    assert len(list(read_judged_series(path))) > 5
