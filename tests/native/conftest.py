"""Skips these tests where there is no native walker."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

import pytest

from heap_exporter.walker.fallback_walker import choose_walker
from tests.processes.programs import program

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def native_walker() -> None:
    """Skip where there is no native walker, or fail where HEAP_EXPORTER_REQUIRE_SERVERS=1."""
    try:
        name = choose_walker("native").name
        sentence = f"the {name} walker was chosen instead of the native one"
    except Exception as error:
        name, sentence = "", f"the native walker is not there: {error}"
    if name == "native":
        return
    if os.environ.get("HEAP_EXPORTER_REQUIRE_SERVERS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Popen[str]]]:
    """Return a function that starts a program, which may import the tests' helpers; it ends with the test."""
    with ExitStack() as running:
        yield lambda code: running.enter_context(program(code, tmp_path, PYTHONPATH=str(REPOSITORY)))
