"""Alerts in the format of Alertmanager, posted to a real Alertmanager and to one of its receivers."""

from __future__ import annotations

import queue
import time
from pathlib import Path

import pytest

from heap_exporter.notify.payload import alert_document
from heap_exporter.notify.webhook import Webhook
from tests.doubles.webhooks import webhook_server
from tests.examples.alerts import full_alert
from tests.processes.programs import eventually, get_json
from tests.servers import running

CONFIG = """
route:
  receiver: pager
  group_by: [alertname]
  group_wait: 0s
receivers:
  - name: pager
    webhook_configs:
      - url: {url}
"""


@pytest.fixture
def outcomes() -> queue.Queue[str]:
    return queue.Queue()


def test_alertmanager_accepts_the_alert_and_forwards_it_in_the_format_of_the_webhook(
    alertmanager: Path, tmp_path: Path, outcomes: queue.Queue[str]
) -> None:
    document = alert_document(full_alert('shop."Größe" <Session>'))
    document["judged_at"] = time.time()
    with webhook_server() as pager:
        (tmp_path / "alertmanager.yml").write_text(CONFIG.format(url=pager.url))
        with running.alertmanager(alertmanager, tmp_path / "alertmanager.yml") as url:
            Webhook(f"{url}/api/v2/alerts", "alertmanager", outcomes.put).post(document)
            assert outcomes.get(timeout=20) == "sent"
            (held,) = eventually(lambda: get_json(f"{url}/api/v2/alerts"))
            sent_on = pager.next()

        Webhook(pager.url, "alertmanager", outcomes.put).post(document)
        assert outcomes.get(timeout=20) == "sent"
        direct = pager.next()

    assert held["status"]["state"] == "active"
    assert held["labels"] == direct["alerts"][0]["labels"] == sent_on["alerts"][0]["labels"]
    assert sent_on["alerts"][0]["annotations"] == direct["alerts"][0]["annotations"]
    assert {*direct} <= {*sent_on}
    assert {*direct["alerts"][0]} == {*sent_on["alerts"][0]}
    for member in ("version", "status", "groupKey", "groupLabels", "commonLabels", "commonAnnotations"):
        assert direct[member] == sent_on[member]
