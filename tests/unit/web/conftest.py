"""A server with its pages, for every test of the web."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from heap_exporter.web.server import HttpServer
from tests.doubles.web_source import Process, serving


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path / "snapshots")


@pytest.fixture
def server(process: Process) -> Iterator[HttpServer]:
    with serving(process.app()) as running:
        yield running
