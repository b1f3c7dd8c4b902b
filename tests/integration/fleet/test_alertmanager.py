"""A real Alertmanager repeats an alert: one snapshot is taken of the process that it names."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.processes.programs import eventually, next_json, program
from tests.servers import running
from tests.servers.running import free_port

TOKEN = "a-token"
REPEATS = 8

SERVICE = """
    import json, os, sys
    import heap_exporter
    heap_exporter.start(interval=0.2, service="shop")
    print(json.dumps(os.getpid()), flush=True)
    sys.stdin.read()
"""

CONFIG = """
route:
  receiver: snapshots
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 5s
receivers:
  - name: snapshots
    webhook_configs:
      - url: {url}-/alertmanager
        http_config: {{authorization: {{credentials: {token}}}}}
"""


def snapshots(url: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(f"{url}snapshots", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return list(json.loads(response.read())["snapshots"])


def notifications(alertmanager: str, kind: str) -> float:
    with urllib.request.urlopen(f"{alertmanager}/metrics", timeout=60) as response:
        lines = response.read().decode().splitlines()
    name = f"alertmanager_{kind}{{"
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name) and "webhook" in line)


@pytest.mark.long
def test_an_alert_that_is_repeated_for_a_minute_takes_one_snapshot_and_all_answers_are_202(
    alertmanager: Path, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with program(SERVICE, tmp_path, HEAP_EXPORTER_PORT=str(port), HEAP_EXPORTER_TOKEN=TOKEN) as process:
        pid = next_json(process)
        (tmp_path / "alertmanager.yml").write_text(CONFIG.format(url=url, token=TOKEN))
        with running.alertmanager(alertmanager, tmp_path / "alertmanager.yml") as alerts:
            named = {"service": "shop", "instance": f"127.0.0.1:{port}"}
            labels = [
                {"alertname": "ShopIsSlow", "worker": "0", **named},
                {"alertname": "RecycledPid", "pid": str(pid), **named},
                {"alertname": "UnknownPid", "pid": "1", **named},
                {"alertname": "PythonHeapLeak", "worker": "0", **named},
            ]
            begins = {"RecycledPid": "2020-01-01T00:00:00Z"}
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            sent = [{"labels": each, "startsAt": begins.get(each["alertname"], now)} for each in labels]
            get_posted(f"{alerts}/api/v2/alerts", sent)
            eventually(lambda: notifications(alerts, "notifications_total"), lambda n: n >= REPEATS * len(sent), 120.0)
            failed = notifications(alerts, "notifications_failed_total")
            taken = snapshots(url)

    assert failed == 0
    assert [(each["pid"], each["reason"].rpartition(" fingerprint ")[0]) for each in taken] == [
        (pid, "alert ShopIsSlow")
    ]


def get_posted(url: str, document: Any) -> None:
    body = json.dumps(document).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60):
        pass


@pytest.mark.long
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer another"}])
def test_a_message_without_the_token_is_refused(header: dict[str, str], tmp_path: Path) -> None:
    port = str(free_port())
    with program(SERVICE, tmp_path, HEAP_EXPORTER_PORT=port, HEAP_EXPORTER_TOKEN=TOKEN) as process:
        next_json(process)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/-/alertmanager", data=b"{}", headers=header)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)

    with refused.value:
        assert refused.value.code == 401
