"""What fails in a fleet costs the other processes nothing, and no service its start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.processes.programs import eventually, get, get_json, next_json, program
from tests.servers.running import free_port

SERVICE = """
    import json, logging, os, signal, sys
    import heap_exporter
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", filename="log")
    {before}
    heap_exporter.start(interval=0.2, service="shop")
    {after}
    pids = [os.getpid()]
    for _ in range({children}):
        if (pid := os.fork()) == 0:
            sys.stdin.read()
            os._exit(0)
        pids.append(pid)
    print(json.dumps(pids), flush=True)
    sys.stdin.read()
    """


class Service(NamedTuple):
    """A parent and its children, and the address of their port."""

    url: str
    pids: list[int]
    process: subprocess.Popen[str]
    folder: Path

    def pids_shown(self) -> set[int]:
        return {each["pid"] for each in get_json(f"{self.url}processes")["processes"] if each["is_up"]}

    def page(self) -> str:
        return get(f"{self.url}metrics", "text/plain")

    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def started(folder: Path, *, before: str = "", after: str = "", children: int = 0) -> Iterator[Service]:
    port = free_port()
    code = SERVICE.format(before=before, after=after, children=children)
    with program(code, folder, HEAP_EXPORTER_PORT=str(port)) as process:
        service = Service(f"http://127.0.0.1:{port}/", next_json(process), process, folder)
        eventually(service.pids_shown, lambda found: found == set(service.pids))
        yield service


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with started(tmp_path_factory.mktemp("fleet"), children=2) as service:
        yield service


def test_a_hub_that_was_stopped_shows_all_processes_once_it_goes_on(fleet: Service) -> None:
    hub = fleet.pids[0]
    os.kill(hub, signal.SIGSTOP)
    pages = fleet.folder / "snapshots" / "fleet"
    before = {path: path.stat().st_mtime_ns for path in pages.glob("shop-[12].page")}
    try:
        eventually(lambda: all(path.stat().st_mtime_ns > at for path, at in before.items()))
    finally:
        os.kill(hub, signal.SIGCONT)

    assert len(before) == 2
    assert eventually(fleet.pids_shown, lambda found: found == set(fleet.pids))
    assert get_json(f"{fleet.url}-/healthy")["pid"] == hub


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_cut_off_before_it_is_answered_though_the_modes_let_it_in(fleet: Service) -> None:
    files = fleet.folder / "snapshots" / "fleet"
    code = """
import os, socket, sys
folder = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
os.fchmod(folder, 0o711)
os.chmod("shop-1.sock", 0o666, dir_fd=folder)
os.setuid(65534)
peer = socket.socket(socket.AF_UNIX)
try:
    peer.connect(f"/proc/self/fd/{folder}/shop-1.sock")
    peer.sendall(b"GET /verdict HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(len(peer.recv(100)))
except ConnectionError:
    print(0)
"""
    try:
        command = [sys.executable, "-c", code, str(files)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    finally:
        files.chmod(0o700)
        (files / "shop-1.sock").chmod(0o600)

    assert printed == "0\n"
    assert get_json(f"{fleet.url}processes/shop-1/-/healthy")["pid"] in fleet.pids[1:]


def test_a_killed_process_has_no_series_and_the_others_have_theirs(tmp_path: Path) -> None:
    with started(tmp_path, children=2) as service:
        os.kill(service.pids[1], signal.SIGKILL)
        page = eventually(service.page, lambda page: page.count("\npython_heap_resident_bytes{") == 2)

        assert 'heap_exporter_processes{service="shop"} 2.0' in page
        assert all(f'pid="{pid}"' in page for pid in (service.pids[0], service.pids[2]))
        assert f'pid="{service.pids[1]}"' not in page


def test_a_full_disk_costs_one_warning_until_pages_can_be_written_again(tmp_path: Path) -> None:
    limits = """
    import resource
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, unlimited[1])))
    signal.signal(signal.SIGUSR2, lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, unlimited))
    """
    with started(tmp_path, after=limits.strip()) as service:
        page = tmp_path / "snapshots" / "fleet" / "shop-0.page"
        os.kill(service.pids[0], signal.SIGUSR1)
        eventually(lambda: "cannot publish the page" in service.log())
        still_served = service.pids_shown()
        os.kill(service.pids[0], signal.SIGUSR2)
        before = page.stat().st_mtime_ns
        eventually(lambda: page.stat().st_mtime_ns > before)

        assert still_served == set(service.pids)
        assert service.log().count("cannot publish the page") == 1


def test_where_no_record_lock_is_possible_a_process_serves_its_own_port_and_logs_one_line(tmp_path: Path) -> None:
    before = """
    import errno, fcntl
    def lockf(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    fcntl.lockf = lockf
    """
    port = free_port()
    code = SERVICE.format(before=before.strip(), after="", children=0)
    with program(code, tmp_path, HEAP_EXPORTER_PORT=str(port)) as process:
        (pid,) = next_json(process)
        found: dict[str, Any] = eventually(lambda: get_json(f"http://127.0.0.1:{port}/-/healthy"))
        page = get(f"http://127.0.0.1:{port}/metrics", "text/plain")
        log = (tmp_path / "log").read_text()

    assert found["pid"] == pid
    assert 'python_heap_resident_bytes{service="shop",worker="0"}' in page
    assert log.count("exports only this process") == 1


PATCHES = "from gevent import monkey; monkey.patch_all()"
START = 'heap_exporter.start(interval=0.2, service="shop")'
ORDERS = {
    "patch, import, start": (PATCHES, "import heap_exporter", START),
    "import, patch, start": ("import heap_exporter", PATCHES, START),
    "import, start, patch": ("import heap_exporter", START, PATCHES),
    "import, start, fork, patch": (
        "import heap_exporter, os, sys", START,
        "pid = os.fork()\nif pid:\n    sys.stdin.read()\n    os._exit(0)", PATCHES,
    ),
}  # fmt: skip  # a table


@pytest.mark.long
@pytest.mark.parametrize("order", ORDERS)
def test_gevent_may_patch_the_process_before_and_after_the_start(order: str, tmp_path: Path) -> None:
    port = free_port()
    code = "\n".join([*ORDERS[order], "import gevent", "while True:", "    gevent.sleep(0.05)"])
    count = 2 if "fork" in order else 1
    with program(code, tmp_path, HEAP_EXPORTER_PORT=str(port)):
        url = f"http://127.0.0.1:{port}/"
        found = eventually(
            lambda: [each for each in get_json(f"{url}processes")["processes"] if each["is_up"]],
            lambda found: (
                len(found) == count and all(each["recent_slope_bytes_per_second"] is not None for each in found)
            ),
        )
        answers = {get_json(f"{url}{each['url'][1:]}-/healthy")["pid"] for each in found}

    assert answers == {each["pid"] for each in found}
