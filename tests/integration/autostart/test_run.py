"""`heap-exporter run` starts the exporter in each process of a program whose code does not know it."""

from __future__ import annotations

import importlib.util
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
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]

async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
"""

POOL = """
import multiprocessing, sys, time
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(4) as pool:
        time.sleep(600)
"""

EXECUTOR = """
import concurrent.futures, multiprocessing, sys, time
if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(4, multiprocessing.get_context(sys.argv[1])) as pool:
        list(pool.map(time.sleep, [600] * 4))
"""

TASKS = """
import celery
app = celery.Celery("shop", broker="memory://")
"""

SITE = """
import sys
import django.conf
import django.core.management
from django.core.wsgi import get_wsgi_application
django.conf.settings.configure(DEBUG=True, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="test")
urlpatterns = []
if __name__ == "__main__":
    django.core.management.execute_from_command_line(sys.argv)
"""

PAIR = """
import os, time
if os.fork() == 0:
    time.sleep(600)
time.sleep(600)
"""

FILES = {
    "service.py": APPLICATION, "pool.py": POOL, "executor.py": EXECUTOR, "tasks.py": TASKS, "site_of_django.py": SITE,
    "pair.py": PAIR,
}  # fmt: skip  # one reading

GUNICORN = ("-m", "gunicorn", f"--workers={WORKERS}", "--bind=127.0.0.1:{port}")
PROGRAMS: dict[str, tuple[tuple[str, ...], int]] = {
    "fork": (("pair.py",), 2),
    "gunicorn": ((*GUNICORN, "service:app"), WORKERS + 1),
    "gunicorn --preload": ((*GUNICORN, "--preload", "service:app"), WORKERS + 1),
    "gunicorn gthread": ((*GUNICORN, "--worker-class=gthread", "--threads=2", "service:app"), WORKERS + 1),
    "gunicorn gevent": ((*GUNICORN, "--worker-class=gevent", "service:app"), WORKERS + 1),
    "gunicorn gevent --preload": ((*GUNICORN, "--worker-class=gevent", "--preload", "service:app"), WORKERS + 1),
    "gunicorn UvicornWorker": (
        (*GUNICORN, "--worker-class=uvicorn.workers.UvicornWorker", "service:asgi"), WORKERS + 1
    ),
    "uvicorn": (("-m", "uvicorn", f"--workers={WORKERS}", "--port={port}", "service:asgi"), WORKERS + 1),
    "hypercorn": (("-m", "hypercorn", f"--workers={WORKERS}", "--bind=127.0.0.1:{port}", "service:asgi"), WORKERS + 1),
    "granian": (
        ("-m", "granian", "--interface=asgi", f"--workers={WORKERS}", "--port={port}", "service:asgi"), WORKERS + 1
    ),
    "celery": (("-m", "celery", "-A", "tasks", "worker", f"--concurrency={WORKERS}"), WORKERS + 1),
    "runserver": (("site_of_django.py", "runserver", "{port}"), 2),
    **{f"Pool {method}": (("pool.py", method), WORKERS + 1) for method in ("fork", "spawn", "forkserver")},
    **{f"executor {method}": (("executor.py", method), WORKERS + 1) for method in ("fork", "spawn", "forkserver")},
}  # fmt: skip  # one reading
"""The arguments of Python, and how many processes have an exporter."""

QUICK = ("fork",)


def needed(arguments: Sequence[str]) -> str:
    """Return the module that a program needs to run."""
    return {"site_of_django.py": "django"}.get(arguments[0], arguments[1] if arguments[0] == "-m" else "heap_exporter")


@contextmanager
def running(arguments: Sequence[str], folder: Path) -> Iterator[str]:
    """Run a program by `heap-exporter run`; yield the address of the exporter."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    exporter_port, port = free_port(), free_port()
    program = [sys.executable, *(argument.format(port=port) for argument in arguments)]
    command = [sys.executable, "-m", "heap_exporter", "run", "--service", "shop", "--", *program]
    environ = environment(
        folder,
        HEAP_EXPORTER_PORT=str(exporter_port),
        HEAP_EXPORTER_INTERVAL="500ms",
        HEAP_EXPORTER_AUTOSTART_DELAY="1s",
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True)
        try:
            yield f"http://127.0.0.1:{exporter_port}/"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in PROGRAMS]
)
def test_every_process_of_a_program_is_on_the_port_without_code(name: str, tmp_path: Path) -> None:
    arguments, count = PROGRAMS[name]
    if importlib.util.find_spec(needed(arguments)) is None:
        pytest.skip(f"{needed(arguments)} is not installed")
    with running(arguments, tmp_path) as url:

        def processes() -> list[dict[str, Any]]:
            return [each for each in get_json(f"{url}processes")["processes"] if each["is_up"]]

        try:
            found = eventually(processes, lambda found: len(found) >= count)
            answers = {each["pid"]: get_json(f"{url}{each['url'][1:]}-/healthy")["pid"] for each in found}
        except AssertionError:
            raise AssertionError((tmp_path / "log").read_text()) from None

    assert {each["service"] for each in found} == {"shop"}
    assert len({each["worker"] for each in found}) == len(found) == count, json.dumps(found)
    assert all(pid == answer for pid, answer in answers.items())
    assert "did not start" not in (tmp_path / "log").read_text()
