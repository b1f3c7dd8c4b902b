"""The plugin for pytest repeats a test: a leak fails it with the holder; warm caches and pytest's records do not."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from heap_exporter import analysis

REPOSITORY = Path(__file__).parents[3]
SCENARIOS = REPOSITORY / "tests" / "leaks" / "scenarios"
PATIENCE_SECONDS = 900

LEAKS = {
    "list": ("Session", "AUDIT → list item"),
    "dict": ("Session", "SESSIONS → dict value"),
    "lru_cache_on_a_method": ("Report", "Report.total → lru_cache entry"),
    "closure": ("Session", "run_job → closure seen"),
    "listener": ("Widget", "BUS → Bus.listeners"),
    "task": ("Task", "TASKS → list item"),
    "thread_local": ("Session", "LOCAL → thread-local attribute"),
    "context_variable": ("Session", "context value"),
    "generator": ("Session", "OPEN → list item"),
    "native_handle": ("Compress", "UPLOADS → list item"),
    "lost_reference_in_c": ("Session", "Held by C code"),
    "cycle_while_the_collector_is_off": ("Node", "Held only by reference cycles"),
}
"""Test of ``leaking.py`` → type, and a part of the lines about its holder."""

CLEAN_IN_OTHER_WAYS = """
import logging, threading
import pytest

SEEN = []

def handle():
    logging.getLogger("shop").warning("order %s", object())

@pytest.mark.no_leaks(warmups=1, repeats=5)
def test_threads_and_log_records(caplog):
    thread = threading.Thread(target=handle)
    thread.start()
    thread.join()
"""

OTHER_DOORS = """
import pytest

SEEN = []

def test_a_function(heap_leaks):
    heap_leaks.check(lambda: SEEN.append({}), repeats=4)

def test_a_loop(heap_leaks):
    for number in heap_leaks.repetitions(repeats=4, ignore="test_doors.SEEN"):
        SEEN.append({})

def test_a_block(heap_leaks):
    with heap_leaks():
        SEEN.extend({number: str(number)} for number in range(1000))
"""

ASYNC = """
import asyncio
import pytest

SEEN = []

@pytest.mark.no_leaks(warmups=1, repeats=4)
@pytest.mark.asyncio
async def test_asyncio():
    await asyncio.sleep(0)
    SEEN.append({})

@pytest.mark.no_leaks(warmups=1, repeats=4)
@pytest.mark.anyio
async def test_anyio():
    await asyncio.sleep(0)
    SEEN.append({})

@pytest.mark.no_leaks(warmups=1, repeats=4)
@pytest.mark.asyncio
async def test_that_leaks_nothing():
    await asyncio.sleep(0)

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


def run_pytest(folder: Path, *arguments: str | Path) -> str:
    """Run pytest with the plugin and without others in its own process, and return what it printed."""
    command = [sys.executable, "-m", "pytest", "-p", "heap_exporter.pytest_plugin", "-p", "no:cacheprovider", "-rA"]
    done = subprocess.run(
        [*command, "--rootdir", str(folder), "-c", os.devnull, *map(str, arguments)],
        check=False,
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def failure_of(printed: str, test: str) -> str:
    """Return what pytest printed about one failed test."""
    return printed.partition(f" {test} _")[2].partition("\n____")[0]


def check_failure(failure: str, name: str) -> None:
    """Check that what pytest printed names the type and the holder of one leak."""
    type_name, holder = LEAKS[name]
    for block in failure.split("\n\n"):
        if f" {type_name} object" in block and holder in block and "Fingerprint" in block:
            return
    pytest.fail(f"{name} is not in:\n{failure}")


@pytest.mark.long
def test_all_ways_to_leak_are_found_in_one_test_with_their_holders_and_the_artifacts(tmp_path: Path) -> None:
    printed = run_pytest(tmp_path, f"{SCENARIOS / 'leaking.py'}::test_every_way_at_once")

    failure = failure_of(printed, "test_every_way_at_once")
    for name in LEAKS:
        check_failure(failure, name)
    [report] = tmp_path.glob("heap-leaks/*/report.html")
    assert str(report.parent) in failure
    before, after = (analysis.open(report.parent / f"{each}.heap") for each in ("before", "after"))
    assert after.objects > before.objects


@pytest.mark.long
@pytest.mark.parametrize("name", LEAKS)
def test_a_test_that_leaks_fails_with_the_type_and_the_holder(name: str, tmp_path: Path) -> None:
    printed = run_pytest(tmp_path, f"{SCENARIOS / 'leaking.py'}::test_{name}")

    check_failure(failure_of(printed, f"test_{name}"), name)


def test_log_records_of_threads_that_pytest_keeps_are_no_leak(tmp_path: Path) -> None:
    (tmp_path / "test_clean.py").write_text(CLEAN_IN_OTHER_WAYS)

    assert "1 passed" in run_pytest(tmp_path, "test_clean.py")
    assert not (tmp_path / "heap-leaks").exists()


@pytest.mark.long
def test_twelve_scenarios_that_leave_warm_caches_behind_pass(tmp_path: Path) -> None:
    assert "failed" not in run_pytest(tmp_path, SCENARIOS / "clean.py")


@pytest.mark.long
def test_the_fixture_checks_a_function_a_loop_and_a_block(tmp_path: Path) -> None:
    (tmp_path / "test_doors.py").write_text(OTHER_DOORS)

    printed = run_pytest(tmp_path, "test_doors.py")

    assert "1 dict object" in failure_of(printed, "test_a_function")
    assert "1,000 dict objects" in failure_of(printed, "test_a_block")
    assert "PASSED test_doors.py::test_a_loop" in printed


@pytest.mark.long
def test_known_leaks_fail_no_test_and_are_in_all_summaries(tmp_path: Path) -> None:
    (tmp_path / "test_doors.py").write_text(OTHER_DOORS)
    test, baseline = "test_doors.py::test_a_function", "--heap-baseline=known.json"

    written = run_pytest(tmp_path, test, baseline, "--heap-update-baseline")
    known = run_pytest(tmp_path, test, baseline, "--junit-xml=leaks.xml")

    assert "1 passed" in written
    assert "1 passed" in known
    assert "test_doors.SEEN" in known.partition("heap leaks")[2]
    assert "heap_leak" in (tmp_path / "leaks.xml").read_text()
    assert not (tmp_path / "heap-leaks").exists()


@pytest.mark.long
def test_asynchronous_tests_are_repeated_by_their_plugins(tmp_path: Path) -> None:
    plugins = ("pytest_asyncio", "anyio.pytest_plugin")
    for plugin in plugins:
        pytest.importorskip(plugin)
    (tmp_path / "test_async.py").write_text(ASYNC)

    printed = run_pytest(tmp_path, "test_async.py", *(word for plugin in plugins for word in ("-p", plugin)))

    for name in ("test_asyncio", "test_anyio"):
        assert "test_async.SEEN" in failure_of(printed, name)
    assert "PASSED test_async.py::test_that_leaks_nothing" in printed


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

    [module] = project["entry-points"]["pytest11"].values()
    assert importlib.import_module(module).MARKER == "no_leaks"
