"""The modules that notifications import, in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys


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
