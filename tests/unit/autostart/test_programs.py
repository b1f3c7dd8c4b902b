"""Which processes are services, by the command of the interpreter."""

from __future__ import annotations

import pytest

from heap_exporter.autostart.at_startup import DEFAULT_DELAY_SECONDS, delay_seconds
from heap_exporter.autostart.programs import is_helper_that_forks, is_service

RESOURCE_TRACKER = "from multiprocessing.resource_tracker import main;main(5)"
FORKSERVER = "from multiprocessing.forkserver import main; main(5, 6, ['__main__'], **{})"
SPAWNED = "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)"


@pytest.mark.parametrize(
    "arguments",
    [
        ["app.py"],
        ["build.py"],
        ["/srv/venv/bin/gunicorn", "app:app"],
        ["-m", "celery", "-A", "pip"],
        ["-W", "error", "-X", "dev", "-u", "-Im", "uvicorn", "app:app"],
        ["--check-hash-based-pycs", "always", "app.py"],
        ["-c", SPAWNED, "--multiprocessing-fork"],
        ["-c", "pass"],
        ["-"],
        [],
    ],
)
def test_a_program_is_a_service(arguments: list[str]) -> None:
    assert is_service(["/usr/bin/python3", *arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "pip", "install", "shop"],
        ["/srv/venv/bin/pip3.11", "install", "shop"],
        ["-Impip", "list"],
        ["-W", "ignore", "-m", "venv", "folder"],
        ["-Xdev", "-m", "compileall", "."],
        ["/tmp/site-packages/pip/_vendor/pyproject_hooks/_in_process/_in_process.py", "build_wheel"],
        ["setup.py", "build"],
        ["/srv/venv/bin/heap-exporter", "hub"],
        ["-m", "heap_exporter", "report"],
        ["-c", RESOURCE_TRACKER],
        ["-c", FORKSERVER],
    ],
)
def test_a_tool_of_packaging_a_helper_and_a_command_of_this_package_are_no_services(arguments: list[str]) -> None:
    assert not is_service(["/usr/bin/python3", *arguments])


def test_the_children_of_the_server_of_forks_and_of_uwsgi_may_be_services() -> None:
    assert is_helper_that_forks(["python3", "-E", "-c", FORKSERVER])
    assert is_helper_that_forks(["/usr/bin/uwsgi", "--ini", "shop.ini"])
    assert not is_service(["/usr/bin/uwsgi", "--ini", "shop.ini"])
    assert not is_helper_that_forks(["python3", "-c", RESOURCE_TRACKER])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 2.0), ("0.5s", 0.5), (" 250ms ", 0.25), ("1 m", 60.0), ("", DEFAULT_DELAY_SECONDS), ("soon", 5.0)],
)
def test_the_delay_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert delay_seconds(text) == seconds
