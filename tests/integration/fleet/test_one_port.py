"""Several real processes of one service: one port shows all of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench import fleet as fleet_bench
from tests.processes.programs import environment, eventually, get, get_json, next_json, program
from tests.servers.running import free_port

SERVICE = """
    import json, os, select, sys
    import heap_exporter
    heap_exporter.start(interval=0.1, census_interval=0.5, census_cpu=50, service="shop")
    children = []
    for number in range(2):
        pid = os.fork()
        if pid == 0:
            held = []
            while not select.select([sys.stdin], [], [], 0.05)[0]:
                if number:  # the second one leaks
                    held.append(bytearray(b"x") * (1 << 20))
            os._exit(0)
        children.append(pid)
    print(json.dumps([os.getpid(), *children]), flush=True)
    sys.stdin.read()
    """
"""All three end when the test closes their standard input."""


class Fleet:
    """A parent and two children, the second of which leaks."""

    def __init__(self, url: str, process: subprocess.Popen[str], folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.parent, self.steady, self.leaking = next_json(process)
        eventually(
            lambda: [each for each in self.processes() if each["recent_slope_bytes_per_second"] is not None], _has_3
        )

    def processes(self) -> list[dict[str, Any]]:
        return list(get_json(f"{self.url}processes")["processes"])

    def worker(self, pid: int) -> str:
        return str(next(each["worker"] for each in self.processes() if each["pid"] == pid))


def _has_3(found: list[Any]) -> bool:
    return len(found) == 3


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder, port = tmp_path_factory.mktemp("fleet"), free_port()
    with program(SERVICE, folder, HEAP_EXPORTER_PORT=str(port)) as process:
        yield Fleet(f"http://127.0.0.1:{port}/", process, folder / "snapshots")


def ask(url: str, method: str = "POST") -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON of the answer to a POST, or to another request."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


def test_one_scrape_shows_every_process_once_with_its_service_and_worker(fleet: Fleet) -> None:
    lines = get(f"{fleet.url}metrics", "text/plain").splitlines()

    resident = [line.rpartition(" ")[0] for line in lines if line.startswith("python_heap_resident_bytes")]
    assert resident == [f'python_heap_resident_bytes{{service="shop",worker="{number}"}}' for number in range(3)]
    assert 'heap_exporter_processes{service="shop"} 3.0' in lines
    assert sum(line.startswith("heap_exporter_process_up{") and line.endswith(" 1.0") for line in lines) == 3
    assert len({line for line in lines if line.startswith("# TYPE")}) == sum(
        line.startswith("# TYPE") for line in lines
    )


def test_the_sums_of_the_fleet_are_those_of_its_processes(fleet: Fleet) -> None:
    lines = [line.rpartition(" ") for line in get(f"{fleet.url}metrics", "text/plain").splitlines()]

    def total(name: str) -> float:
        return sum(float(value) for start, _, value in lines if start.startswith(name))

    assert total("python_heap_fleet_type_objects{") == total("python_heap_type_objects{")
    assert total("python_heap_fleet_unique_bytes{") == total("python_heap_unique_bytes{")


def test_the_parent_and_its_children_are_listed_with_their_roles(fleet: Fleet) -> None:
    roles = {each["pid"]: each["role"] for each in fleet.processes()}

    page = eventually(
        lambda: get(f"{fleet.url}metrics", "text/plain"), lambda page: page.count('pid="') == len(roles) + 1
    )
    assert roles == {fleet.parent: "parent", fleet.steady: "child", fleet.leaking: "child"}
    assert all(f'python_heap_process_info{{pid="{pid}",role="{role}"' in page for pid, role in roles.items())


def test_only_the_hub_listens_on_tcp(fleet: Fleet) -> None:
    listening = {
        line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    }

    owners = [
        pid
        for pid in (fleet.parent, fleet.steady, fleet.leaking)
        for name in os.listdir(f"/proc/{pid}/fd")
        if (link := os.readlink(f"/proc/{pid}/fd/{name}")).startswith("socket:") and link[8:-1] in listening
    ]
    assert owners == [fleet.parent]


@pytest.mark.parametrize("page", ["", "-/healthy", "census", "snapshots"])
def test_the_pages_of_each_process_are_below_its_name(page: str, fleet: Fleet) -> None:
    worker = fleet.worker(fleet.leaking)

    by_number, by_name = (get_json(f"{fleet.url}processes/{name}/{page}") for name in (worker, f"shop-{worker}"))

    assert by_number.get("pid") == by_name.get("pid")
    assert by_name.get("pid", fleet.leaking) == fleet.leaking


def test_an_alert_of_alertmanager_takes_one_snapshot_of_the_process_that_it_names(fleet: Fleet) -> None:
    labels = {"alertname": "ShopIsSlow", "service": "shop", "worker": fleet.worker(fleet.steady)}
    alert = {"status": "firing", "labels": labels, "fingerprint": "f00"}
    body = json.dumps({"version": "4", "alerts": [alert, alert]}).encode()

    answers = [get_json(f"{fleet.url}-/alertmanager", body) for _ in range(2)]

    reason = "alert ShopIsSlow fingerprint f00"
    snapshots = eventually(
        lambda: [each for each in get_json(f"{fleet.url}snapshots")["snapshots"] if each["reason"] == reason]
    )
    assert [[each["pid"] for each in answer["snapshots"]] for answer in answers] == [[fleet.steady], []]
    assert [each["pid"] for each in snapshots] == [fleet.steady]


def test_an_unknown_process_is_refused_with_the_list_of_those_there_are(fleet: Fleet) -> None:
    status, answer = ask(f"{fleet.url}processes/99/", "GET")

    assert status == 404
    assert f"shop-0 (pid {fleet.parent})" in answer["detail"]


@pytest.mark.parametrize("choice", ["", "?which=fastest-growing", "?which=largest", "?pid={pid}", "?worker={worker}"])
def test_a_snapshot_is_taken_of_the_process_that_grows_or_that_is_named(choice: str, fleet: Fleet) -> None:
    named = choice.format(pid=fleet.leaking, worker=fleet.worker(fleet.leaking))

    status, answer = eventually(lambda: ask(f"{fleet.url}snapshots{named}"), lambda found: found[0] != 429)

    assert (status, answer["pid"], answer["service"]) == (201, fleet.leaking, "shop")
    assert get_json(f"{fleet.url.rstrip('/')}{answer['url']}")["state"] == "written"


def test_a_choice_that_is_none_is_refused(fleet: Fleet) -> None:
    assert ask(f"{fleet.url}snapshots?which=best")[0] == 400
    assert ask(f"{fleet.url}snapshots?which=suspected")[0] == 404
    assert ask(f"{fleet.url}snapshots?worker=0&pid=1")[0] == 400
    assert ask(f"{fleet.url}snapshots?pid=1")[0] == 404


def test_prometheus_can_discover_each_process_as_a_target(fleet: Fleet) -> None:
    targets = get_json(f"{fleet.url}sd")

    host = fleet.url.removeprefix("http://").rstrip("/")
    assert [each["targets"] for each in targets] == [[host]] * 3
    for each in targets:
        page = get(f"{fleet.url.rstrip('/')}{each['labels']['__metrics_path__']}", "text/plain")
        assert f'python_heap_resident_bytes{{service="shop",worker="{each["labels"]["worker"]}"}}' in page
        assert page.count("python_heap_resident_bytes{") == 1


def test_the_verdict_of_the_fleet_names_a_process_and_lists_all(fleet: Fleet) -> None:
    verdict = get_json(f"{fleet.url}verdict")

    assert verdict["pid"] in {fleet.parent, fleet.steady, fleet.leaking}
    assert len(verdict["processes"]) == 3


def test_the_files_of_the_fleet_are_private(fleet: Fleet) -> None:
    folder = fleet.folder / "fleet"

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_stopped_process_costs_the_others_nothing_and_is_not_up(fleet: Fleet) -> None:
    worker = fleet.worker(fleet.steady)
    os.kill(fleet.steady, signal.SIGSTOP)
    try:
        silent = f'heap_exporter_process_up{{service="shop",worker="{worker}"}} 0.0'
        page = eventually(lambda: get(f"{fleet.url}metrics", "text/plain"), lambda page: silent in page)
        status, answer = ask(f"{fleet.url}processes/{worker}/census", "GET")
    finally:
        os.kill(fleet.steady, signal.SIGCONT)

    assert f'python_heap_resident_bytes{{service="shop",worker="{worker}"}}' not in page
    assert f'heap_exporter_last_sample_timestamp_seconds{{service="shop",worker="{worker}"}}' in page
    assert f'python_heap_resident_bytes{{service="shop",worker="{fleet.worker(fleet.leaking)}"}}' in page
    assert (status, answer["detail"]) == (
        504, f"process shop-{worker} (pid {fleet.steady}) did not answer within 5 s"
    )  # fmt: skip  # one reading


def test_another_process_serves_the_port_when_the_hub_is_killed(tmp_path: Path) -> None:
    port = free_port()
    with program(SERVICE, tmp_path, HEAP_EXPORTER_PORT=str(port)) as process:
        fleet = Fleet(f"http://127.0.0.1:{port}/", process, tmp_path)
        os.kill(fleet.parent, signal.SIGKILL)
        process.wait()
        left = eventually(lambda: {each["pid"] for each in fleet.processes()}, lambda pids: len(pids) == 2)

    assert left == {fleet.steady, fleet.leaking}


@pytest.mark.long
def test_each_of_ten_hubs_that_are_killed_is_followed_by_one_that_shows_all_others(tmp_path: Path) -> None:
    hubs = set()
    with fleet_bench.fleet(8, tmp_path) as (url, parent):
        for _ in range(10):
            hubs.add(get_json(f"{url}-/healthy")["pid"])
            fleet_bench.failover_seconds(url, parent, 8)

    assert len(hubs) == 10


def test_a_hub_of_its_own_serves_services_that_open_no_port(tmp_path: Path) -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "heap_exporter", "hub"]
    environ = environment(tmp_path, HEAP_EXPORTER_PORT=port)
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as hub:
        try:
            assert hub.stdout is not None
            assert hub.stdout.readline() == f"serving {url}\n"
            with program(SERVICE, tmp_path, HEAP_EXPORTER_PORT=port, HEAP_EXPORTER_HUB="never") as process:
                fleet = Fleet(url, process, tmp_path)
                assert ask(f"{url}snapshots")[1]["pid"] == fleet.leaking
                process.communicate(timeout=60)
            assert eventually(fleet.processes, lambda found: not found) == []
            hub.terminate()
            assert hub.wait(20) == 0
        finally:
            hub.kill()


def test_the_commands_show_the_processes_and_order_a_snapshot_of_one(fleet: Fleet, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "heap_exporter", *arguments, fleet.url]
        return subprocess.run(command, env=environment(tmp_path), check=True, capture_output=True, text=True).stdout

    worker = fleet.worker(fleet.steady)
    pids = {line.split()[0] for line in run("processes").splitlines()[3:]}
    snapshot = json.loads(run("snapshot", "--json", f"--worker={worker}"))

    assert pids == {str(pid) for pid in (fleet.parent, fleet.steady, fleet.leaking)}
    assert snapshot["pid"] == fleet.steady
    assert f"shop-{worker}, pid {fleet.steady}\n" in run("status", f"--worker={worker}")
