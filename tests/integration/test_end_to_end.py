"""The whole way on real servers: a leaking shop is scraped, the alert fires, the webhook comes, a snapshot is taken.

A healthy shop runs under the same rules and raises no alert. Prometheus and Alertmanager run on the very
files of the compose stack; the rules are those of ``heap-exporter rules`` with a window of seconds. Those of every
release watch the same shops at the same time.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import queue
import signal
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dashboards.committed import PanelQuery, panel_queries
from heap_exporter.heapfile.reader import SnapshotReader
from heap_exporter.heapfile.records import TypeRecord
from tests.integration import deployed
from tests.processes import programs
from tests.processes.programs import eventually, get_json
from tests.servers import running
from tests.servers.install import RELEASES, Release
from tests.servers.versions import find_usable

RULES = (
    "--window=15s", "--for=15s", "--interval=1s",
    "--min-slope=300MiB/h", "--min-slow-slope=300MiB/h", "--min-type-growth=200000/h",
)  # fmt: skip  # options of one command
VISITORS_PER_SECOND = 30
"""Half of the demo's default: the leak is still three times as fast as the rules ask for."""

PATIENCE_SECONDS = 150.0


@dataclass
class Stack:
    """What runs: addresses, and what came to the webhook."""

    prometheus: str
    exporters: dict[str, str]
    pages: queue.Queue[dict[str, Any]]

    def alerts(self) -> list[dict[str, Any]]:
        """Return what Prometheus holds pending or firing."""
        return list(get_json(f"{self.prometheus}/api/v1/alerts")["data"]["alerts"])

    def query(self, expr: str) -> list[Any]:
        """Return the result of an instant query."""
        words = urllib.parse.urlencode({"query": expr})
        return list(get_json(f"{self.prometheus}/api/v1/query?{words}")["data"]["result"])


@contextlib.contextmanager
def demo(folder: Path, *options: str) -> Iterator[str]:
    """Run the demo's shop and load, and yield the exporter's address."""
    command = [sys.executable, "-m", "heap_exporter", "demo", "--port=0", "--shop-port=0", "--window=10"]
    command += [f"--visitors={VISITORS_PER_SECOND}", *options]
    environ = programs.environment(folder)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            assert process.stdout is not None
            links = dict(line.split(maxsplit=1) for line in (process.stdout.readline() for _ in range(4)))
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield links["status"].strip()
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()


@contextlib.contextmanager
def webhook() -> Iterator[tuple[str, queue.Queue[dict[str, Any]]]]:
    """Receive what Alertmanager posts."""
    pages: queue.Queue[dict[str, Any]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pages.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", pages
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def watched(
    exporters: dict[str, str], rules: str, prometheus: Path, alertmanager: Path, folder: Path
) -> Iterator[Stack]:
    """Run Prometheus and Alertmanager on the two shops."""
    config = deployed.lay_out_prometheus(folder / "prometheus", {"ours.yml": rules})
    with contextlib.ExitStack() as running_here:
        enter = running_here.enter_context
        url, pages = enter(webhook())
        alertmanager_config = deployed.lay_out_alertmanager(folder / "alertmanager", url)
        deployed.write_alertmanager(config.parent, enter(running.alertmanager(alertmanager, alertmanager_config)))
        for job, exporter in exporters.items():
            address = exporter.removeprefix("http://").rstrip("/")
            deployed.write_target(config.parent, job, address, every="1s")
        yield Stack(enter(running.prometheus(prometheus, config)), exporters, pages)


@pytest.fixture(scope="module")
def exporters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of the exporters of a shop that leaks and of one that does not."""
    folder = tmp_path_factory.mktemp("shops")
    with demo(folder) as leaking, demo(folder, "--healthy") as healthy:
        yield {"leaking": leaking, "healthy": healthy}


@pytest.fixture(scope="module")
def stacks(exporters: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Release, Stack]]:
    """The stack of each release that is installed: they run at the same time, because alerts take a minute."""
    rules = subprocess.check_output([sys.executable, "-m", "heap_exporter", "rules", *RULES], text=True)
    running_here: dict[Release, Stack] = {}
    with contextlib.ExitStack() as stack:
        for release in RELEASES.values():
            prometheus, alertmanager = (find_usable(name, release) for name in ("prometheus", "alertmanager"))
            if prometheus and alertmanager:
                folder = tmp_path_factory.mktemp("servers")
                watch = watched(exporters, rules, prometheus, alertmanager, folder)
                running_here[release] = stack.enter_context(watch)
        yield running_here


@pytest.fixture(scope="module")
def usable_release(release: Release, prometheus: Path, alertmanager: Path) -> Release:
    """The release; the test is skipped without its servers, before the shops are started."""
    return release


@pytest.fixture(scope="module")
def stack(usable_release: Release, stacks: dict[Release, Stack]) -> Stack:
    return stacks[usable_release]


def test_the_leak_is_alerted_and_the_healthy_shop_stays_silent(stack: Stack) -> None:
    page = stack.pages.get(timeout=PATIENCE_SECONDS)
    growth = eventually(
        lambda: [
            alert
            for alert in stack.alerts()
            if alert["labels"]["alertname"] == "PythonHeapGrowthSustained" and alert["state"] == "firing"
        ]
    )

    assert page["status"] == "firing"
    assert {alert["labels"]["job"] for alert in page["alerts"]} == {"leaking"}
    assert {alert["labels"]["job"] for alert in growth} == {"leaking"}
    assert "/h" in growth[0]["annotations"]["description"]
    assert {alert["labels"]["job"] for alert in stack.alerts() if alert["state"] == "firing"} == {"leaking"}


def test_the_growing_type_is_alerted_by_its_name(stack: Stack) -> None:
    growing = eventually(
        lambda: {
            alert["labels"]["type_name"]
            for alert in stack.alerts()
            if alert["labels"]["alertname"] == "PythonHeapTypeGrowing" and alert["state"] == "firing"
        },
        lambda names: "shop.sessions.Item" in names,
    )

    assert "other" not in growing


def test_curl_takes_a_snapshot_of_the_leaking_shop(exporters: dict[str, str]) -> None:
    curl = ["curl", "--silent", "-X", "POST", f"{exporters['leaking']}snapshots"]

    # The one that the exporter takes by itself may still be under way.
    taken = eventually(lambda: json.loads(subprocess.check_output(curl)), lambda answer: answer.get("status") != 429)

    path = Path(taken["path"])
    assert path.stat().st_size == taken["bytes"]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with SnapshotReader(path) as reader:
        assert "shop.sessions.Session" in {record.name for record in reader.records() if isinstance(record, TypeRecord)}


@pytest.mark.parametrize("query", list(panel_queries()), ids=lambda query: f"{query.dashboard}: {query.panel}")
def test_every_dashboard_query_returns_data_or_is_listed_with_the_reason(query: PanelQuery, stack: Stack) -> None:
    expr = query.substituted(rate_interval="30s", shown_range="1m")
    if query.why_empty:
        stack.query(expr)  # it must at least be understood
        return

    assert eventually(lambda: stack.query(expr))


def test_the_healthy_shop_was_never_accused(stack: Stack) -> None:
    fired = stack.query('count_over_time(ALERTS{alertstate="firing", job="healthy"}[1h])')

    assert fired == []
    # A suspicion is no accusation: it takes two snapshots, and their comparison ends it.
    assert get_json(stack.exporters["healthy"])["verdict"]["state"] != "confirmed"
