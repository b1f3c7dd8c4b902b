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
from typing import Any, NamedTuple

import pytest

from tests.processes.programs import environment, eventually, get_json
from tests.servers.running import free_port

WORKERS = 4

START = """
import heap_exporter
heap_exporter.start(interval=0.5, service="shop")
"""

SERVICE = f"""{START}
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]

async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}})
        await send({{"type": "http.response.body", "body": b""}})
"""

TASKS = f"""{START}
from celery import Celery
from celery.signals import worker_ready

app = Celery(broker="memory://", set_as_current=True)
app.conf.worker_hijack_root_logger = False

@app.task
def work():
    pass

@worker_ready.connect
def order(**_):
    for _ in range(12):
        work.delay()
"""

DJANGO = f"""{START}
import sys
import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import execute_from_command_line

settings.configure(DEBUG=True, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x")
urlpatterns = []
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
else:
    django.setup()
    app = WSGIHandler()
"""

POOL = f"""{START}
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor

def nap(seconds):
    import time
    time.sleep(seconds)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    if sys.argv[1] == "Pool":
        pool = context.Pool({WORKERS})
    else:
        pool = ProcessPoolExecutor({WORKERS}, context)
        for _ in pool.map(nap, [0.5] * {WORKERS}):
            pass
    sys.stdin.read()
"""

INITIALIZER = """
import multiprocessing, sys
import heap_exporter
def start():
    heap_exporter.start(interval=0.5, service="shop")
if __name__ == "__main__":
    start()
    with multiprocessing.get_context(sys.argv[1]).Pool(4, initializer=start):
        sys.stdin.read()
"""

UNREACHED = """
import multiprocessing, sys
import heap_exporter
if __name__ == "__main__":
    heap_exporter.start(interval=0.5, service="shop")
    with multiprocessing.get_context(sys.argv[1]).Pool(2):
        sys.stdin.read()
"""

FORKED_IN_C = """
import ctypes, sys, time
import heap_exporter
exporter = heap_exporter.start(interval=60, service="shop")
while exporter.monitor.reading().census is None:
    time.sleep(0.01)
time.sleep(0.2)  # without hooks, a child hangs in CPython if a thread waited for the GIL: the threads must rest
ctypes.PyDLL(None).fork()
heap_exporter.start()
sys.stdin.read()
"""

MODULES = {
    "unreached": UNREACHED,
    "forked_in_c": FORKED_IN_C,
    "service": SERVICE,
    "tasks": TASKS,
    "site_of_shop": DJANGO,
    "pool": POOL,
    "initializer": INITIALIZER,
}


class Program(NamedTuple):
    """The arguments of Python, the processes that have an exporter, and how many of them are parents of others."""

    arguments: Sequence[str]
    processes: int = WORKERS
    parents: int = 0


def _gunicorn(*arguments: str, app: str = "service:app", parents: int = 0) -> Program:
    command = ("-m", "gunicorn", f"--workers={WORKERS}", "--bind=127.0.0.1:{port}")
    return Program((*command, *arguments, app), WORKERS + parents, parents)


def _uwsgi(*arguments: str, parents: int = 0) -> Program:
    command = (
        str(Path(sys.executable).with_name("pyuwsgi")),
        "--http-socket=127.0.0.1:{port}",
        "--master",
        f"--processes={WORKERS}",
    )
    return Program((*command, "--enable-threads", "--module=service:app", *arguments), WORKERS + parents, parents)


def _celery(*arguments: str) -> Program:
    command = ("-m", "celery", "--app=tasks", "worker", f"--concurrency={WORKERS}", "--pool=prefork")
    return Program((*command, "--without-mingle", "--without-gossip", *arguments), WORKERS + 1, 1)


PROGRAMS = {
    "gunicorn": _gunicorn(),
    "gunicorn --preload": _gunicorn("--preload", parents=1),
    "gunicorn gthread": _gunicorn("--worker-class=gthread", "--threads=2"),
    "gunicorn gevent": _gunicorn("--worker-class=gevent"),
    "gunicorn gevent --preload": _gunicorn("--worker-class=gevent", "--preload", parents=1),
    "gunicorn UvicornWorker": _gunicorn("--worker-class=uvicorn_worker.UvicornWorker", app="service:asgi"),
    "gunicorn Django": _gunicorn(app="site_of_shop:app"),
    "Django runserver": Program(("site_of_shop.py", "runserver", "127.0.0.1:{port}"), 2, 1),
    "uvicorn": Program(("-m", "uvicorn", f"--workers={WORKERS}", "--port={port}", "service:asgi")),
    "hypercorn": Program(("-m", "hypercorn", f"--workers={WORKERS}", "--bind=127.0.0.1:{port}", "service:asgi")),
    "granian": Program(("-m", "granian", "--interface=asgi", f"--workers={WORKERS}", "--port={port}", "service:asgi")),
    "uWSGI": _uwsgi(),
    "uWSGI --lazy-apps": _uwsgi("--lazy-apps"),
    "uWSGI fork hooks": _uwsgi("--py-call-uwsgi-fork-hooks", parents=1),
    "uWSGI osafterfork": _uwsgi("--py-call-osafterfork"),
    "Celery": _celery(),
    "Celery --max-tasks-per-child": _celery("--max-tasks-per-child=1"),
    **{
        f"{kind} {method}": Program(("pool.py", kind, method), WORKERS + 1, 1)
        for kind in ("Pool", "ProcessPoolExecutor")
        for method in ("fork", "spawn", "forkserver")
    },
    **{
        f"initializer {method}": Program(("initializer.py", method), WORKERS + 1, 1)
        for method in ("fork", "spawn", "forkserver")
    },
}

QUICK = ("gunicorn", "gunicorn --preload")


class Running(NamedTuple):
    """A program under test: the address of the exporters, and the TCP ports that its processes listen on."""

    exporters: str
    exporter_port: int
    server_port: int
    group: int
    log: Path

    def processes(self) -> list[dict[str, Any]]:
        return [each for each in get_json(f"{self.exporters}processes")["processes"] if each["is_up"]]

    def further_ports(self) -> set[int]:
        """Return the TCP ports of the program that are neither that of the exporters nor that of the server."""
        return _ports_of(self.group) - {self.exporter_port, self.server_port}


@contextmanager
def running(arguments: Sequence[str], folder: Path) -> Iterator[Running]:
    """Run a program in a process group of its own."""
    for name, code in MODULES.items():
        (folder / f"{name}.py").write_text(code)
    exporter_port, port = free_port(), free_port()
    command = [sys.executable, *(argument.format(port=port) for argument in arguments)]
    environ = environment(folder, HEAP_EXPORTER_PORT=str(exporter_port), PYTHONPATH=str(folder))
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            yield Running(f"http://127.0.0.1:{exporter_port}/", exporter_port, port, process.pid, folder / "log")
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _ports_of(group: int) -> set[int]:
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {line[9]: int(line[1].rpartition(":")[2], 16) for line in lines if line[3] == "0A"}
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                found |= {os.readlink(link).removeprefix("socket:")[1:-1] for link in (path / "fd").iterdir()}
        except OSError:  # the process has ended
            continue
    return {listening[inode] for inode in found & listening.keys()}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in PROGRAMS]
)
def test_one_port_shows_every_process_of_a_server(name: str, tmp_path: Path) -> None:
    program = PROGRAMS[name]
    with running(program.arguments, tmp_path) as server:
        try:
            found = eventually(server.processes, lambda found: len(found) >= program.processes)
        except AssertionError:
            raise AssertionError(server.log.read_text()) from None
        ports = server.further_ports()
        answers = {each["pid"]: get_json(f"{server.exporters}{each['url'][1:]}-/healthy")["pid"] for each in found}

    assert len({each["pid"] for each in found}) == len({each["worker"] for each in found}) == program.processes
    assert all(pid == answer for pid, answer in answers.items())
    assert not ports, json.dumps(found)
    assert sum(each["role"] == "parent" for each in found) == program.parents


@pytest.mark.long
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_children_that_run_no_exporter_are_logged_once(method: str, tmp_path: Path) -> None:
    with running(("unreached.py", method), tmp_path) as server:
        eventually(server.log.read_text, lambda text: "does not run in child processes" in text)
        parent = server.processes()
        text = server.log.read_text()

    assert [each["role"] for each in parent] == ["single"]
    assert text.count("heap-exporter does not run") == 1
    assert "call heap_exporter.start() at the top of the main module" in text


def test_a_child_that_a_library_forked_in_c_has_an_exporter_once_it_calls_start(tmp_path: Path) -> None:
    with running(("forked_in_c.py",), tmp_path) as server:
        found = eventually(server.processes, lambda found: len(found) == 2)
        text = server.log.read_text()

    assert {each["role"] for each in found} == {"parent", "child"}
    assert "a library forked it without the hooks" in text
