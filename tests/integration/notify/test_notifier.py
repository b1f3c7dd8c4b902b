"""The modules that notifications import, and the counts of the posts across restarts of the monitor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from heap_exporter.monitor import HeapMonitor
from heap_exporter.settings import Settings
from tests.doubles.otlp_receivers import wait_until
from tests.doubles.webhooks import webhook_server
from tests.examples.alerts import full_alert


def test_without_a_webhook_requests_is_not_imported() -> None:
    code = """
import sys
from heap_exporter.notify.listeners import LeakListeners
from heap_exporter.notify.notifier import Notifier
from heap_exporter.settings import Settings
notifier = Notifier(Settings(), LeakListeners())
notifier.request_stop()
notifier.stop(0.0)
print(notifier.webhooks, "requests" in sys.modules)
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "{} False\n"


def test_the_counter_of_webhooks_does_not_fall_when_a_stopped_monitor_starts_again(tmp_path: Path) -> None:
    with webhook_server() as received:
        settings = Settings.load({}, snapshot_dir=tmp_path, alert_webhook_url=received.url, interval=1)
        monitor = HeapMonitor(settings)
        for count in (1, 2):
            monitor.start()
            monitor._pipeline.notifier.send(full_alert())
            received.next()
            wait_until(lambda count=count: monitor.reading().counters.webhooks.get("sent") == count)  # type: ignore[misc]  # bound at once
            monitor.stop()
