"""Fixtures that every test may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import servers
from tests.servers.install import NEWEST, RELEASES, Release
from tests.servers.versions import why_unusable

# A background job of a shell ignores SIGINT, and the programs that the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The speed of the machine must not fail an example. `make test` uses the same few examples each time, `make test-long`
# many others.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", PATIENT, max_examples=20, derandomize=True)
settings.register_profile("thorough", PATIENT, max_examples=200)
settings.load_profile("quick")

WALK_THIS_PROCESS = ("unit/walker",)
"""Tests that walk the heap they run in."""

START_PROCESSES = ("native", "integration")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by file.

    The tests that walk this process run first, while its heap is small. The short tests run last, so that all workers
    end at about the same time.
    """
    folder = Path(__file__).parent
    items.sort(key=lambda item: _rank(item.path.relative_to(folder).as_posix()))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument and number: the workers need the same names, and bytes may hold a time or a pid."""
    return argname if isinstance(val, bytes) else None


def _rank(path: str) -> int:
    if path.startswith(WALK_THIS_PROCESS):
        return 0
    return 1 if path.startswith(START_PROCESSES) else 2


def _usable(name: str, release: Release = NEWEST, made_by: str = "make servers") -> Path:
    """Return the path of the program `name`.

    If it is missing or too old, the test is skipped, or fails where HEAP_EXPORTER_REQUIRE_SERVERS=1.
    """
    path = servers.find(name, release)
    if path is None:
        where = "neither in .servers/ nor on PATH" if release is NEWEST else f"not in {release.programs_folder}"
        reason = f"{name} is {where}"
    elif not (reason := why_unusable(name, path) or ""):
        return path
    sentence = f"{reason}; run `{made_by}` to install it"
    if os.environ.get("HEAP_EXPORTER_REQUIRE_SERVERS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="module", params=list(RELEASES.values()), ids=list(RELEASES))
def release(request: pytest.FixtureRequest) -> Release:
    """Each release of the servers: a test of Prometheus or Alertmanager runs with both."""
    found: Release = request.param
    return found


def _program_of_release(name: str) -> Callable[[Release], Path]:
    """Return a fixture that is the path of the program `name` of a release."""

    @pytest.fixture(scope="module", name=name)
    def path_of_program(release: Release) -> Path:
        return _usable(name, release)

    return path_of_program


def _program(name: str, made_by: str = "make servers") -> Callable[[], Path]:
    """Return a fixture that is the path of the program `name`."""

    @pytest.fixture(scope="session", name=name.replace("-", "_"))
    def path_of_program() -> Path:
        return _usable(name, made_by=made_by)

    return path_of_program


promtool = _program_of_release("promtool")
prometheus = _program_of_release("prometheus")
amtool = _program_of_release("amtool")
alertmanager = _program_of_release("alertmanager")
victoria_metrics = _program("victoria-metrics")
weed = _program("weed", made_by="pip install --group dev")
chromium = _program("chromium", made_by="make browser")
chromedriver = _program("chromedriver", made_by="make browser")
