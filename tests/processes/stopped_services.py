"""Runs real servers and pools whose processes record, and stops them as their operators do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.processes.exits import exit_codes
from tests.processes.programs import PATIENCE_SECONDS, environment, eventually
from tests.servers.running import free_port

START = """
import heap_exporter
heap_exporter.start(http=False, interval=0.2, census_interval=60)
"""

WSGI = """
def app(environ, start_response):
    start_response("204 No Content", [])
    return []
"""

ASGI = """
async def app(scope, receive, send):
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
"""

CELERY = """
import os, time
from pathlib import Path
import celery, celery.signals
app = celery.Celery("service", broker="memory://", backend=None)
app.conf.worker_prefetch_multiplier = 1

def is_watched():
    return any(Path("snapshots/series").glob(f"*-{os.getpid()}.exit"))

@app.task
def work():
    while not is_watched():
        time.sleep(0.05)

@celery.signals.worker_ready.connect
def ready(**_):
    work.delay()
"""

POOL = """
import multiprocessing, sys, time

with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.map_async(time.sleep, [{busy_seconds}] * 2, chunksize=1)
    sys.stdin.readline()
    pool.{end}()
    pool.join()
"""

WAITS = """
import ctypes, os, signal, sys
sys.stdin.readline()
{end}
"""

PYTHON = (sys.executable, "service.py")


class Service(NamedTuple):
    """A service, and how many of its processes record before it is stopped."""

    code: str
    command: Sequence[str]
    processes: int = 1
    signal: int | None = signal.SIGTERM
    to_group: bool = False
    is_ready: Callable[[Path], bool] = lambda _: True


def _uvicorn(*options: str) -> Sequence[str]:
    return (sys.executable, "-m", "uvicorn", f"--port={free_port()}", "--log-level=warning", *options, "service:app")


def _gunicorn(worker_class: str) -> Sequence[str]:
    bind = f"--bind=127.0.0.1:{free_port()}"
    return (sys.executable, "-m", "gunicorn", bind, "--workers=1", f"--worker-class={worker_class}", "service:app")


def _is_recycled(folder: Path) -> bool:
    """Return whether a child of Celery has ended after its task, and the watcher knows the next one."""
    codes = exit_codes(folder).values()
    return len(codes) > 2 and any(code and code > 0 for code in codes)


def service(name: str) -> Service:
    """Return one of the services by its name."""
    celery = (sys.executable, "-m", "celery", "-A", "service", "worker", "-P", "prefork", "-c", "1")
    services: dict[str, Callable[[], Service]] = {
        "uvicorn": lambda: Service(START + ASGI, _uvicorn()),
        "uvicorn --workers 2": lambda: Service(START + ASGI, _uvicorn("--workers=2"), 2),
        "gunicorn sync": lambda: Service(START + WSGI, _gunicorn("sync")),
        "gunicorn gthread": lambda: Service(START + WSGI, _gunicorn("gthread")),
        "gunicorn gevent": lambda: Service(START + WSGI, _gunicorn("gevent")),
        "gunicorn UvicornWorker": lambda: Service(START + ASGI, _gunicorn("uvicorn.workers.UvicornWorker")),
        "celery": lambda: Service(START + CELERY, (*celery, "--max-tasks-per-child=1"), 2, is_ready=_is_recycled),
        "pool terminate": lambda: Service(START + POOL.format(busy_seconds=600, end="terminate"), PYTHON, 3, None),
        "pool close": lambda: Service(START + POOL.format(busy_seconds=0, end="close"), PYTHON, 3, None),
        "pool SIGKILL": lambda: Service(
            START + POOL.format(busy_seconds=600, end="close"), PYTHON, 3, signal.SIGKILL, to_group=True
        ),
        "plain SIGTERM": lambda: Service(START + WAITS.format(end=""), PYTHON),
        "plain SIGINT": lambda: Service(START + WAITS.format(end=""), PYTHON, signal=signal.SIGINT),
        "SIGKILL": lambda: Service(START + WAITS.format(end=""), PYTHON, signal=signal.SIGKILL),
        "end": lambda: Service(START + WAITS.format(end=""), PYTHON, signal=None),
        "os._exit": lambda: Service(START + WAITS.format(end="os._exit(3)"), PYTHON, signal=None),
        "crash": lambda: Service(START + WAITS.format(end="ctypes.string_at(0)"), PYTHON, signal=None),
    }
    return services[name]()


@contextmanager
def running(name: str, folder: Path) -> Iterator[Callable[[], None]]:
    """Run a service in a folder; yield a function that stops it and waits until all ends are recorded."""
    chosen = service(name)
    folder.mkdir()
    (folder / "service.py").write_text(chosen.code)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            chosen.command, cwd=folder, env=environment(folder), stdin=subprocess.PIPE, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip  # one call

    def stop() -> None:
        eventually(lambda: len(exit_codes(folder)) >= chosen.processes and chosen.is_ready(folder))
        if chosen.signal is not None and chosen.to_group:
            os.killpg(process.pid, chosen.signal)
        elif chosen.signal is not None:
            process.send_signal(chosen.signal)
        elif process.stdin is not None:
            process.stdin.close()
        process.wait(PATIENCE_SECONDS)
        eventually(lambda: None not in exit_codes(folder).values())

    try:
        yield stop
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def stopped(names: Sequence[str], folder: Path) -> dict[str, Path]:
    """Run services side by side and stop each; return their folders."""
    folders = {name: folder / name.replace(" ", "-") for name in names}
    with ExitStack() as stack:
        for stop in [stack.enter_context(running(name, path)) for name, path in folders.items()]:
            stop()
    return folders
