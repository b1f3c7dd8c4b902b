"""The advice names the version of Python that never frees interned strings; the test runs that version."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from heap_exporter.detection.judge import Judge
from heap_exporter.model import DetectorThresholds, ReasonKind
from heap_exporter.recording.series_reader import read_series
from heap_exporter.report.verdict_text import verdict_summary

REPOSITORY = Path(__file__).parents[2]
PYTHON = Path.home() / ".pyenv" / "versions" / "3.12.1" / "bin" / "python"

NAMES_AT_RUN_TIME = """
from heap_exporter.detection import history
from heap_exporter.probes.sampler import Sampler
from heap_exporter.recording.csv_format import HEADER, csv_row

class Request:
    pass

print(HEADER, end="")
for minute in range(40):
    for number in range(20_000):
        setattr(Request(), f"attribute_{number}_of_a_request_in_minute_{minute}", None)
    sampler = Sampler()
    point = history.point(sampler.sample(None), sampler.detail(), restart=minute == 0)
    print(csv_row(point._replace(t_seconds=60.0 * minute)), end="")
"""


def test_the_advice_names_a_python_that_never_frees_interned_strings(tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip(f"CPython 3.12.1 is not installed as {PYTHON}")
    libraries = [str(REPOSITORY), sysconfig.get_path("purelib")]
    series = tmp_path / "series.csv"
    series.write_text(
        subprocess.check_output(
            [PYTHON, "-c", NAMES_AT_RUN_TIME], env={"PYTHONPATH": os.pathsep.join(libraries)}, text=True, cwd=tmp_path
        )
    )
    judge = Judge(DetectorThresholds(window_seconds=900, growth_percent=2, min_slope_bytes_per_hour=8 << 20))

    verdict = [judge.judge(point) for point in read_series(series)][-1]

    assert verdict.is_suspicion
    assert ReasonKind.INTERNED_STRINGS in [reason.kind for reason in verdict.reasons]
    assert verdict_summary(verdict).advice.startswith("Python 3.12.0 to 3.12.6 never free interned strings")
