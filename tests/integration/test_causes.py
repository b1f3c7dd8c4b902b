"""Small programs that grow by one cause each: the detector finds it, after their steps and under the exporter."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from heap_exporter.detection.attribution import attribute
from heap_exporter.detection.detector import Detector
from heap_exporter.errors import SourceMissing
from heap_exporter.model import Cause, DetectorThresholds, Point, ReasonKind
from heap_exporter.probes.allocators import read_malloc
from heap_exporter.probes.pymalloc import read_pymalloc
from heap_exporter.recording.series_reader import read_series
from tests.processes.programs import environment, window_settings

REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 300
PROGRAMS_AT_A_TIME = 6

CAUSES = {
    "small_objects": Cause.PYTHON_OBJECTS,
    "large_objects": Cause.PYTHON_OBJECTS,
    "huge_objects": Cause.PYTHON_OBJECTS,
    "numpy_arrays": Cause.PYTHON_OBJECTS,
    "filling_cache": Cause.PYTHON_OBJECTS,
    "held_without_gc": Cause.PYTHON_OBJECTS,
    "held_with_own_collections": Cause.PYTHON_OBJECTS,
    "cycles_without_gc": Cause.UNCOLLECTED_CYCLES,
    "cycles_with_high_threshold": Cause.UNCOLLECTED_CYCLES,
    "uncollectable_cycles": Cause.UNCOLLECTED_CYCLES,
    "native_malloc": Cause.NATIVE,
    "anonymous_mmap": Cause.NATIVE,
    "thread_stacks": Cause.NATIVE,
    "malloc_fragmentation": Cause.FRAGMENTATION,
    "pymalloc_fragmentation": Cause.FRAGMENTATION,
    "file_mmap": Cause.FILE_OR_SHARED,
    "shared_memory": Cause.FILE_OR_SHARED,
}

NO_SUSPICION = ("file_mmap", "unshared_after_fork")
"""Programs whose private memory does not grow."""

QUICK = {"small_objects", "cycles_without_gc", "native_malloc", "malloc_fragmentation", *NO_SUSPICION}
"""Programs that run under the exporter in `make test`: one for each cause that the detector suspects."""

SAME_KIND = {
    "large_objects", "filling_cache", "held_without_gc", "held_with_own_collections", "cycles_with_high_threshold",
    "anonymous_mmap",
}  # fmt: skip  # one list
"""Programs that grow by the cause, and in the way, of another one: their steps run in `make test-long`."""

NEEDED_MODULES = {"numpy_arrays": "numpy", "uncollectable_cycles": "_testcapi"}


def is_available(read: object) -> bool:
    """Return whether a probe works on this system."""
    try:
        read()  # type: ignore[operator]
    except SourceMissing:
        return False
    return True


pytestmark = pytest.mark.skipif(
    not is_available(read_malloc) or not is_available(read_pymalloc),
    reason="needs glibc 2.33 and an interpreter with pymalloc",
)


def run(driver: str, name: str, folder: Path, **environ: str) -> str:
    """Run a program with one of the drivers, and return its output."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.causes.{driver}", name],
        check=False,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env=environment(folder, **environ),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def points_of(name: str, folder: Path, **environ: str) -> list[Point]:
    """Run a program, and return the points of its steps."""
    path = folder / f"{name}.csv"
    path.write_text(run("driver", name, folder, **environ))
    return list(read_series(path))


def is_possible(name: str) -> bool:
    """Return whether the modules that a program needs are installed."""
    return name not in NEEDED_MODULES or importlib.util.find_spec(NEEDED_MODULES[name]) is not None


@pytest.fixture(scope="module")
def live(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Mapping[str, Future[str]]]:
    """Runs the quick programs, or all if a long test runs, under the exporter; each takes two windows."""
    runs_long = any(item.path == request.path and item.get_closest_marker("long") for item in request.session.items)
    folder = tmp_path_factory.mktemp("live")
    window = window_settings(4)
    with ThreadPoolExecutor(PROGRAMS_AT_A_TIME) as pool:
        names = filter(is_possible, {*CAUSES, *NO_SUSPICION} if runs_long else QUICK)
        yield {name: pool.submit(run, "live", name, folder, **window) for name in names}


def suspicions(printed: str) -> list[str]:
    """Return the causes of the verdicts that suspect a leak."""
    verdicts = map(json.loads, printed.splitlines())
    return [cause for state, cause, _ in verdicts if state in ("suspected", "confirmed")]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.long)
        for name in CAUSES
        if name not in NO_SUSPICION
    ],
)
def test_the_verdict_of_the_exporter_names_the_cause(name: str, live: Mapping[str, Future[str]]) -> None:
    if name not in live:
        pytest.skip(f"needs {NEEDED_MODULES[name]}")

    assert suspicions(live[name].result())[-1:] == [CAUSES[name]]


@pytest.mark.parametrize("name", NO_SUSPICION)
def test_growth_of_shared_or_file_pages_is_not_suspected(name: str, live: Mapping[str, Future[str]]) -> None:
    printed = live[name].result()

    assert printed
    assert suspicions(printed) == []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name in SAME_KIND else ()) for name in CAUSES]
)
def test_the_attribution_finds_the_cause_of_the_program(name: str, tmp_path: Path) -> None:
    if not is_possible(name):
        pytest.skip(f"needs {NEEDED_MODULES[name]}")

    found = attribute(points_of(name, tmp_path))

    assert (found.cause, found.reasons) == (CAUSES[name], found.reasons)


def test_pages_that_a_fork_makes_private_are_not_growth(tmp_path: Path) -> None:
    points = points_of("unshared_after_fork", tmp_path)
    detector = Detector(DetectorThresholds(window_seconds=900, growth_percent=2, min_slope_bytes_per_hour=8 << 20))

    verdicts = [detector.observe(point) for point in points]

    first, last = points[0], points[-1]
    assert first.unique_bytes is not None
    assert last.unique_bytes is not None
    assert last.unique_bytes - first.unique_bytes > 16 << 20
    assert not any(verdict.is_suspicion for verdict in verdicts)


def test_without_pymalloc_the_census_is_enough_for_the_cause(tmp_path: Path) -> None:
    points = points_of("small_objects", tmp_path, PYTHONMALLOC="malloc")

    assert points[-1].allocated_blocks is None
    assert attribute(points).cause is Cause.PYTHON_OBJECTS


def test_without_census_and_block_count_the_cause_is_unattributed(tmp_path: Path) -> None:
    points = points_of("small_objects", tmp_path, PYTHONMALLOC="malloc")

    found = attribute([point._replace(heap_bytes=None, n_objects=None) for point in points])

    assert found.cause is Cause.UNATTRIBUTED
    assert found.reasons[0].kind is ReasonKind.PYTHON_UNKNOWN
