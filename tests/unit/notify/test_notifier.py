"""All the ways to tell together."""

from __future__ import annotations

import time
from queue import Queue

import pytest

from heap_exporter.model import LeakAlert
from heap_exporter.notify.listeners import LeakListeners
from heap_exporter.notify.notifier import Notifier
from heap_exporter.runtime.redaction import Secret
from heap_exporter.settings import Settings
from tests.doubles.webhooks import webhook_server
from tests.examples.alerts import full_alert


def test_a_listener_that_fails_keeps_nobody_from_hearing(caplog: pytest.LogCaptureFixture) -> None:
    heard: Queue[LeakAlert] = Queue()
    listeners = LeakListeners()
    listeners.add("leak", lambda alert: 1 / 0)  # type: ignore[arg-type]  # it fails
    listeners.add("leak", heard.put)
    with webhook_server() as received:
        telling = Notifier(Settings(alert_webhook_url=Secret(received.url)), listeners)
        telling.send(full_alert())

        assert received.next()["fingerprint"] == full_alert().fingerprint
        assert heard.get(timeout=20) == full_alert()
        telling.stop(time.monotonic() + 20)

    assert telling.webhooks == {"sent": 1, "failed": 0, "dropped": 0}
    assert "a leak listener failed" in caplog.text
