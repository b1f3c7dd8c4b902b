"""Other tools that read converted snapshots, and snapshots for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.oracles import install, snapshots


def _lacking(what: str) -> None:
    sentence = f"{what} is not there: run `make oracles` to install it"
    if os.environ.get("HEAP_EXPORTER_REQUIRE_SERVERS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def oracles() -> None:
    """Skip, or fail where HEAP_EXPORTER_REQUIRE_SERVERS=1, unless DevTools' reader and memlab are installed."""
    if not install.is_installed():
        _lacking("what .oracles/ should hold")


@pytest.fixture(scope="session")
def pprof() -> None:
    """Skip, or fail where HEAP_EXPORTER_REQUIRE_SERVERS=1, unless Go's pprof is installed."""
    if install.pprof() is None:
        _lacking("Go's pprof")


@pytest.fixture(scope="session")
def leak(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return three snapshots of one process that leaks."""
    return snapshots.snapshots_of_leak(tmp_path_factory.mktemp("leak"))


LARGE_HEAPS = [pytest.param(30_000, id="90,000 objects"), pytest.param(350_000, id="a million", marks=pytest.mark.long)]


@pytest.fixture(scope="session", params=LARGE_HEAPS)
def large_heap(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a snapshot of a process with many objects: three times as many as the collector tracks."""
    return snapshots.snapshot_of_heap(request.param, tmp_path_factory.mktemp("large") / "large.heap")
