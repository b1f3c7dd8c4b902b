"""Runs gunicorn with two workers that each start an exporter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes.programs import environment, eventually, get_json
from tests.servers.running import free_port

WSGI = """
import json, os
import heap_exporter
from heap_exporter.web import server
server.PORT_RETRY_SECONDS = 0.2
heap_exporter.start(interval=0.2)
def app(environ, start_response):
    exporter = heap_exporter.current()
    body = json.dumps({"pid": os.getpid(), "parent": os.getppid(), "url": exporter and exporter.url}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""


@contextmanager
def gunicorn(folder: Path, *options: str, exporter_port: int | None = None) -> Iterator[str]:
    """Run gunicorn with two workers on a free port, and with a free port or the given one for the exporters."""
    (folder / "service.py").write_text(WSGI)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers=2", f"--bind=127.0.0.1:{port}", *options, "service:app"]
    environ = environment(folder, HEAP_EXPORTER_PORT=str(exporter_port or free_port()))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        try:
            assert process.wait(60) == 0, (folder / "log").read_text()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def workers_of(service: str, but: Container[int] = ()) -> dict[int, str]:
    """Return pid → exporter address of the workers, once both have an exporter; without those ``but`` names."""
    found: dict[int, str] = {}

    def ask() -> int:
        answer = get_json(service)
        if answer["url"] and answer["pid"] not in but:
            found[answer["pid"]] = answer["url"]
        return len(found)

    eventually(ask, lambda count: count == 2)
    return found
