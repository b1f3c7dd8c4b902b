"""Runs the real servers on a free port of 127.0.0.1 during a `with` block.

Each one has its data in a temporary folder. Use: `with running.prometheus(program, config_path) as url:`.
"""

from __future__ import annotations

import itertools
import json
import os
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

FIRST_PORT = 10_000
WORKERS = 8
PORTS_PER_WORKER = 2_000
"""Below 32768, where Linux begins to choose ports by itself."""

# Requests to the machine itself must not go through its proxy.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServerStartError(Exception):
    """A server ended, or was not ready in time; the text ends with the last lines of its log."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that no process has bound.

    The kernel gives none of these ports to a socket that binds port 0, and each worker of pytest-xdist has its own.
    """
    return next(port for port in _ports if _is_free(port))


def _ports_of_this_worker() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    first = FIRST_PORT + worker * PORTS_PER_WORKER
    begin = os.getpid() % PORTS_PER_WORKER  # another test run on this machine starts at another port
    return (first + (begin + number) % PORTS_PER_WORKER for number in itertools.count())


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_ports = _ports_of_this_worker()


@contextmanager
def prometheus(program: Path, config_path: Path) -> Iterator[str]:
    """Run the Prometheus `program` on `config_path`; yield its URL once it is ready."""
    with tempfile.TemporaryDirectory(prefix="prometheus-") as folder:
        port = free_port()
        command = [
            f"--config.file={config_path.resolve()}",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-lifecycle",
        ]
        with _running(program, command, port, Path(folder)) as url:
            yield url


@contextmanager
def alertmanager(program: Path, config_path: Path) -> Iterator[str]:
    """Run the Alertmanager `program`, no cluster, on `config_path`; yield its URL once it is ready."""
    with tempfile.TemporaryDirectory(prefix="alertmanager-") as folder:
        port = free_port()
        command = [
            f"--config.file={config_path.resolve()}",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        # install.py has given it a relative path of its templates.
        working_folder = program.parents[2] if program.is_relative_to(FOLDER) else Path(folder)
        with _running(program, command, port, Path(folder), working_folder) as url:
            yield url


@contextmanager
def victoria_metrics(*arguments: str) -> Iterator[str]:
    """Run VictoriaMetrics with Prometheus' translation of OTLP names; yield its URL once it is ready."""
    with tempfile.TemporaryDirectory(prefix="victoria-metrics-") as folder:
        port = free_port()
        command = [
            f"-storageDataPath={folder}/data",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-opentelemetry.usePrometheusNaming",
            *arguments,
        ]
        with _running(_found("victoria-metrics"), command, port, Path(folder)) as url:
            yield url


class SeaweedFS:
    """SeaweedFS with its data in `folder`: an S3 store with a key pair that may create buckets, and one that may not.

    After a kill and a restart it has the same address and the same data.
    """

    KEYS = ("admins-key", "admins-secret")
    WRITERS_KEYS = ("writers-key", "writers-secret")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        names = ("s3", "s3.grpc", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc")
        self._ports = {name: free_port() for name in names}
        self.port = self._ports["s3"]
        self.url = f"http://127.0.0.1:{self.port}"
        identities = [
            self._identity("admin", self.KEYS, ["Admin"]),
            self._identity("writer", self.WRITERS_KEYS, ["Read", "Write", "List"]),
        ]
        (folder / "s3.json").write_text(json.dumps({"identities": identities}))
        (folder / "data").mkdir()

    def start(self) -> None:
        """Run it, and return once it is ready. Raises ServerStartError."""
        options = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        limits = [
            "-master.electionTimeout=1s",
            "-volume.max=0",
            "-master.volumeSizeLimitMB=256",
            "-volume.minFreeSpace=1MiB",
        ]
        ports = [
            f"-{name.partition('.')[0]}.port{'.grpc' if name.endswith('.grpc') else ''}={port}"
            for name, port in self._ports.items()
        ]
        arguments = [f"-dir={self._folder / 'data'}", f"-s3.config={self._folder / 's3.json'}", *options, *limits]
        log_path = self._folder / "log"
        self._process = _started(_found("weed"), ["server", *arguments, *ports], log_path, self._folder)
        _wait_until_ready("weed", self._process, f"{self.url}/readyz", log_path)

    def kill(self) -> None:
        """Kill it without a chance to clean up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @staticmethod
    def _identity(name: str, keys: tuple[str, str], actions: list[str]) -> dict[str, object]:
        return {"name": name, "credentials": [{"accessKey": keys[0], "secretKey": keys[1]}], "actions": actions}


@contextmanager
def seaweedfs() -> Iterator[SeaweedFS]:
    """Run SeaweedFS as an S3 store during the block; the block may kill it."""
    with tempfile.TemporaryDirectory(prefix="seaweedfs-") as folder:
        server = SeaweedFS(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def _running(
    program: Path, arguments: Sequence[str], port: int, folder: Path, working_folder: Path | None = None
) -> Iterator[str]:
    log_path = folder / "log"
    process = _started(program, arguments, log_path, working_folder or folder)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(program.name, process, f"{url}/-/ready", log_path)
        yield url
    finally:
        _stop(process)


def _found(name: str) -> Path:
    program = servers.find(name)
    if program is None:
        raise ServerStartError(f"{name} is neither in .servers/ nor on PATH: run `make servers` to install it")
    return program


def _started(program: Path, arguments: Sequence[str], log_path: Path, working_folder: Path) -> subprocess.Popen[bytes]:
    with log_path.open("wb") as log:
        return subprocess.Popen(
            [program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=working_folder
        )


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
