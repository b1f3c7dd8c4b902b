"""Runs the real servers on a free port of 127.0.0.1, for the length of a `with` block.

Each one keeps its data in a folder that is thrown away. Used as in `with running.prometheus(config_path) as url:`.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import servers
from tests.servers.install import FOLDER

READY_DEADLINE_SECONDS = 30.0
STOP_DEADLINE_SECONDS = 10.0
LOG_TAIL_LINES = 20

# A proxy of the machine must not be asked for addresses of the machine itself.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServerStartError(Exception):
    """A server ended, or was not ready in time; the text ends with the tail of its log."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def prometheus(config_path: Path, *arguments: str) -> Iterator[str]:
    """Run Prometheus on `config_path` with more `arguments` if given; give its URL once it is ready to answer."""
    with tempfile.TemporaryDirectory(prefix="prometheus-") as folder:
        port = free_port()
        command = [
            f"--config.file={config_path.resolve()}",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-lifecycle",
            *arguments,
        ]
        with _running("prometheus", command, port, Path(folder)) as url:
            yield url


@contextmanager
def alertmanager(config_path: Path, *arguments: str, working_folder: Path | None = None) -> Iterator[str]:
    """Run one Alertmanager, no cluster, on `config_path`; give its URL once it is ready to answer.

    Relative paths in the configuration are looked up in `working_folder`.
    """
    with tempfile.TemporaryDirectory(prefix="alertmanager-") as folder:
        port = free_port()
        command = [
            f"--config.file={config_path.resolve()}",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            *arguments,
        ]
        with _running("alertmanager", command, port, Path(folder), _with_templates(working_folder)) as url:
            yield url


@contextmanager
def victoria_metrics(*arguments: str) -> Iterator[str]:
    """Run VictoriaMetrics, translating OTLP names as Prometheus does; give its URL once it is ready to answer."""
    with tempfile.TemporaryDirectory(prefix="victoria-metrics-") as folder:
        port = free_port()
        command = [
            f"-storageDataPath={folder}/data",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-opentelemetry.usePrometheusNaming",
            *arguments,
        ]
        with _running("victoria-metrics", command, port, Path(folder)) as url:
            yield url


def _with_templates(working_folder: Path | None) -> Path | None:
    """Return a folder in which our Alertmanager finds its templates, by the relative path that install.py gave it."""
    templates = FOLDER / "usr"
    if working_folder and templates.is_dir() and not (working_folder / "usr").exists():
        (working_folder / "usr").symlink_to(templates)
    return working_folder or (FOLDER if FOLDER.is_dir() else None)


@contextmanager
def _running(
    name: str, arguments: Sequence[str], port: int, folder: Path, working_folder: Path | None = None
) -> Iterator[str]:
    program = servers.find(name)
    if program is None:
        raise ServerStartError(f"{name} is neither in .servers/ nor on PATH: run `make servers` to install it")
    log_path = folder / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=working_folder or folder,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(name, process, f"{url}/-/ready", log_path)
        yield url
    finally:
        _stop(process)


def _wait_until_ready(name: str, process: subprocess.Popen[bytes], ready_url: str, log_path: Path) -> None:
    deadline = time.monotonic() + READY_DEADLINE_SECONDS
    while not _is_ready(ready_url):
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            what = f"ended with {process.returncode}" if ended else f"was not ready in {READY_DEADLINE_SECONDS:g} s"
            tail = log_path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            raise ServerStartError("\n".join([f"{name} {what}; its log ends:", *tail]))
        time.sleep(0.05)


def _is_ready(url: str) -> bool:
    try:
        with _direct.open(url, timeout=2.0) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
