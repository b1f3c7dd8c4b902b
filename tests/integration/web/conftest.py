"""A process with pages to show, for the tests of the web that start processes."""

from pathlib import Path

import pytest

from tests.doubles.web_source import Process


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path / "snapshots")
