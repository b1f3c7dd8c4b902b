"""The pytest plugin: the marker ``no_leaks`` and the fixture ``heap_leaks`` repeat a scenario, and fail if it leaks.

pytest imports this module in every run, so it imports nothing else of the package before a test uses it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

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


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(warmups=3, repeats=10, ignore=()): heap-exporter repeats the test, and it fails if it leaks",
    )


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
