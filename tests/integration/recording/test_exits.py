"""How the processes of real servers and pools end, and what `last-exit` reports of it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from heap_exporter.model import Ending, LastExit
from heap_exporter.recording.exit_claim import claim_last_exit
from heap_exporter.recording.folder import FOLDER
from heap_exporter.recording.last_exit import find_exits
from tests.processes.stopped_services import stopped

STOPPED, KILLED, CRASHED = Ending.STOPPED, Ending.KILLED, Ending.CRASHED

QUICK: Mapping[str, set[tuple[Ending, int]]] = {
    "uvicorn": {(STOPPED, -signal.SIGTERM)},
    "gunicorn UvicornWorker": {(STOPPED, -signal.SIGTERM)},
    "celery": {(STOPPED, 155), (STOPPED, 0)},
    "pool terminate": {(STOPPED, -signal.SIGTERM), (STOPPED, 0)},
    "plain SIGTERM": {(STOPPED, -signal.SIGTERM)},
    "SIGKILL": {(KILLED, -signal.SIGKILL)},
}

LONG: Mapping[str, set[tuple[Ending, int]]] = {
    "uvicorn --workers 2": {(STOPPED, -signal.SIGTERM)},
    "gunicorn sync": {(STOPPED, 0)},
    "gunicorn gthread": {(STOPPED, 0)},
    "gunicorn gevent": {(STOPPED, 0)},
    "pool close": {(STOPPED, 0)},
    "plain SIGINT": {(STOPPED, -signal.SIGINT)},
    "end": {(STOPPED, 0)},
    "os._exit": {(STOPPED, 3)},
    "pool SIGKILL": {(KILLED, -signal.SIGKILL)},
    "crash": {(CRASHED, -signal.SIGSEGV)},
}


DEPENDS_ON_TIMING: Mapping[str, set[tuple[Ending, int]]] = {"celery": {(STOPPED, -signal.SIGKILL)}}
"""How some more processes may end: the kernel kills a child of Celery when its parent's thread ends."""


def exits(folder: Path) -> list[LastExit]:
    return [found for _, found in find_exits(folder / "snapshots" / FOLDER)[0]]


def assert_ended(expected: Mapping[str, set[tuple[Ending, int]]], folder: Path) -> None:
    """Stop services and compare how their processes ended, and whether a start would export a kill."""
    folders = stopped([*expected], folder)
    ended = {
        name: {(found.ended, found.exit_code) for found in exits(path)} - DEPENDS_ON_TIMING.get(name, set())
        for name, path in folders.items()
    }
    claimed = {name for name, path in folders.items() if claim_last_exit(path / "snapshots", None) is not None}
    killed = {name for name, ends in expected.items() if any(ending.is_kill for ending, _ in ends)}

    assert ended == expected
    assert claimed == killed


def test_only_a_sigkill_is_a_kill(tmp_path: Path) -> None:
    assert_ended(QUICK, tmp_path)


@pytest.mark.long
def test_the_processes_of_other_servers_stop(tmp_path: Path) -> None:
    assert_ended(LONG, tmp_path)
