"""Real servers with four workers: one port shows every process of the service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes.programs import environment, eventually, get_json
from tests.servers.running import free_port

WORKERS = 4

APPLICATION = """
import heap_exporter
heap_exporter.start(interval=0.5, service="shop")

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]

async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
"""

POOL = """
import multiprocessing, sys
import heap_exporter
def start():
    heap_exporter.start(interval=0.5, service="shop")
if __name__ == "__main__":
    start()
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(4, initializer=start) as pool:
        sys.stdin.read()
"""

GUNICORN = ("-m", "gunicorn", f"--workers={WORKERS}", "--bind=127.0.0.1:{port}")
PROGRAMS: dict[str, tuple[tuple[str, ...], int]] = {
    "gunicorn": ((*GUNICORN, "service:app"), WORKERS),
    "gunicorn --preload": ((*GUNICORN, "--preload", "service:app"), WORKERS + 1),
    "gunicorn gthread": ((*GUNICORN, "--worker-class=gthread", "--threads=2", "service:app"), WORKERS),
    "gunicorn gevent": ((*GUNICORN, "--worker-class=gevent", "service:app"), WORKERS),
    "uvicorn": (("-m", "uvicorn", f"--workers={WORKERS}", "--port={port}", "service:asgi"), WORKERS),
    "Pool fork": (("pool.py", "fork"), WORKERS + 1),
    "Pool spawn": (("pool.py", "spawn"), WORKERS + 1),
    "Pool forkserver": (("pool.py", "forkserver"), WORKERS + 1),
}
"""The arguments of Python, and how many processes have an exporter."""

QUICK = ("gunicorn", "gunicorn --preload")


@contextmanager
def running(arguments: Sequence[str], folder: Path) -> Iterator[tuple[str, int]]:
    """Run a program in a process group of its own; yield the address of the exporters, and the group."""
    (folder / "service.py").write_text(APPLICATION)
    (folder / "pool.py").write_text(POOL)
    exporter_port, port = free_port(), free_port()
    command = [sys.executable, *(argument.format(port=port) for argument in arguments)]
    environ = environment(folder, HEAP_EXPORTER_PORT=str(exporter_port))
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            yield f"http://127.0.0.1:{exporter_port}/", process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def exporters_listening(group: int) -> set[int]:
    """Return the pids of a process group that have a TCP port which the server itself has not."""
    listening = {
        line.split()[9]: int(line.split()[1].rpartition(":")[2], 16)
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    found: dict[int, set[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) != group:
                continue
            links = [os.readlink(link) for link in (path / "fd").iterdir()]
        except OSError:  # the process has ended
            continue
        for link in links:
            if link.startswith("socket:") and link[8:-1] in listening:
                found.setdefault(listening[link[8:-1]], set()).add(int(path.name))
    return {pid for pids in found.values() if len(pids) == 1 for pid in pids}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in PROGRAMS]
)
def test_one_port_shows_every_process_of_a_server(name: str, tmp_path: Path) -> None:
    arguments, count = PROGRAMS[name]
    with running(arguments, tmp_path) as (url, group):

        def processes() -> list[dict[str, Any]]:
            return [each for each in get_json(f"{url}processes")["processes"] if each["is_up"]]

        try:
            found = eventually(processes, lambda found: len(found) >= count)
        except AssertionError:
            raise AssertionError((tmp_path / "log").read_text()) from None
        listening = exporters_listening(group)
        answers = {each["pid"]: get_json(f"{url}{each['url'][1:]}-/healthy")["pid"] for each in found}

    assert len({each["pid"] for each in found}) == len({each["worker"] for each in found}) == count
    assert all(pid == answer for pid, answer in answers.items())
    assert len(listening) == 1, json.dumps(found)
    assert sum(each["role"] == "parent" for each in found) == count - WORKERS
