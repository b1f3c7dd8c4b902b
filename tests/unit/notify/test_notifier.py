"""The notifier sends an alert to all receivers."""

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


def test_a_listener_that_raises_stops_no_other_receiver(caplog: pytest.LogCaptureFixture) -> None:
    received_alerts: Queue[LeakAlert] = Queue()
    listeners = LeakListeners()
    listeners.add("leak", lambda alert: 1 / 0)  # type: ignore[arg-type]  # it fails
    listeners.add("leak", received_alerts.put)
    with webhook_server() as received:
        notifier = Notifier(Settings(alert_webhook_url=Secret(received.url)), listeners)
        notifier.send(full_alert())

        assert received.next()["fingerprint"] == full_alert().fingerprint
        assert received_alerts.get(timeout=20) == full_alert()
        notifier.stop(time.monotonic() + 20)

    assert notifier.webhooks == {"sent": 1, "failed": 0, "dropped": 0}
    assert "<lambda> failed" in caplog.text


def test_a_document_that_cannot_be_made_stops_no_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    received_alerts: Queue[LeakAlert] = Queue()
    listeners = LeakListeners()
    listeners.add("leak", received_alerts.put)
    monkeypatch.setattr("heap_exporter.notify.payload.alert_document", lambda *_: 1 / 0)
    notifier = Notifier(Settings(), listeners)

    with pytest.raises(ZeroDivisionError):
        notifier.send(full_alert())

    assert received_alerts.get(timeout=20) == full_alert()
    notifier.stop(time.monotonic() + 20)
