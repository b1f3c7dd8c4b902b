"""The search for the application's meter provider, in its own interpreter."""

from __future__ import annotations

import subprocess
import sys


def test_looking_for_a_provider_creates_none() -> None:
    script = """
from heap_exporter.export.otlp_provider import borrow_from_application
from opentelemetry.metrics import _internal
assert borrow_from_application(lambda: None) is None
assert _internal._METER_PROVIDER is None
"""
    environ = {"OTEL_PYTHON_METER_PROVIDER": "sdk_meter_provider"}
    subprocess.run([sys.executable, "-c", script], env=environ, check=True)
