"""The pytest plugin: the marker ``no_leaks`` and the fixture ``heap_leaks`` repeat a scenario, and fail if it leaks.

pytest imports this module in every run, so it imports nothing else of the package before a test uses it.
"""

from __future__ import annotations

from collections.abc import Container, Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from heap_exporter.pytest_plugin.leak_summary import KNOWN, LeakSummary

if TYPE_CHECKING:
    from heap_exporter.pytest_plugin.heap_leaks import HeapLeaks

MARKER = "no_leaks"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("heap-exporter", "leaks found by heap-exporter")
    group.addoption(
        "--heap-artifacts",
        metavar="DIR",
        default="heap-leaks",
        help="folder for the snapshots and the HTML report of each test that leaks (default: heap-leaks)",
    )
    group.addoption("--heap-baseline", metavar="FILE", help="file of known leaks, which fail no test")
    group.addoption(
        "--heap-update-baseline",
        action="store_true",
        help="write the leaks of the tests that run to the file of known leaks, and fail for none of them",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the summary, and read the file of known leaks."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(warmups=3, repeats=10, ignore=()): heap-exporter repeats the test, and it fails if it leaks",
    )

    baseline = Path(config.invocation_params.dir, name) if (name := config.getoption("--heap-baseline")) else None
    is_update = config.getoption("--heap-update-baseline")
    config.stash[KNOWN] = _known(baseline, is_update=is_update)
    if not hasattr(config, "workerinput"):  # pytest-xdist's workers send their reports to the main process
        config.pluginmanager.register(LeakSummary(baseline if is_update else None))


def _known(baseline: Path | None, *, is_update: bool) -> Container[str]:
    """Return the fingerprints of known leaks; all leaks are known to a run that updates the file."""
    if is_update:
        if baseline is None:
            raise pytest.UsageError("--heap-update-baseline needs the file to write: add --heap-baseline FILE")
        return _All()
    if baseline is None:
        return ()
    from heap_exporter.errors import HeapExporterError
    from heap_exporter.leak_check.known_leaks import read_known_leaks

    try:
        return {leak.fingerprint for leak in read_known_leaks(baseline)}
    except HeapExporterError as error:
        raise pytest.UsageError(f"{error}; --heap-update-baseline writes it") from error


class _All:
    def __contains__(self, fingerprint: object) -> bool:
        return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Run a test with the marker once as usual, then repeat it."""
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return (yield)
    from heap_exporter.pytest_plugin.heap_leaks import HeapLeaks

    heap_leaks = HeapLeaks(item)
    yield
    for _ in heap_leaks.repetitions(*marker.args, **marker.kwargs):
        item.runtest()


@pytest.fixture
def heap_leaks(request: pytest.FixtureRequest) -> HeapLeaks:
    """Repeats a part of the test, and fails the test if it leaks."""
    from heap_exporter.pytest_plugin.heap_leaks import HeapLeaks

    return HeapLeaks(request.node)
