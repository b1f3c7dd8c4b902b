"""The private names of OpenTelemetry in real processes; without them there is one warning."""

from __future__ import annotations

import subprocess
import sys

MOVED = "opentelemetry.metrics._internal._METER_PROVIDER"


def test_the_providers_set_through_the_public_api_are_found_in_a_fresh_process() -> None:
    script = """
from heap_exporter.export import otel_internals
import sys
assert otel_internals.meter_provider() is otel_internals.logger_provider() is None
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
from opentelemetry import _logs, metrics
mine = metrics.NoOpMeterProvider(), _logs.NoOpLoggerProvider()
metrics.set_meter_provider(mine[0])
_logs.set_logger_provider(mine[1])
assert (otel_internals.meter_provider(), otel_internals.logger_provider()) == mine
"""
    subprocess.run([sys.executable, "-c", script], check=True)


STARTED = """
import logging, sys, time
import heap_exporter
import opentelemetry.metrics._internal as internal
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
del internal._METER_PROVIDER
with heap_exporter.start(http=False, record=False, otlp_endpoint="http://127.0.0.1:9") as exporter:
    time.sleep(0.1)
    print("running")
"""


def test_when_a_name_moved_the_host_runs_and_the_push_stops_with_one_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED], env={"OTEL_METRIC_EXPORT_INTERVAL": "10"},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip  # one call

    [warning, running] = done.stdout.splitlines()
    assert warning.startswith(
        "WARNING heap-exporter is not pushing metrics to http://127.0.0.1:9/v1/metrics: OpenTelemetry "
    )
    assert f"has no {MOVED}; upgrade heap-exporter" in warning
    assert (running, done.stderr) == ("running", "")


def test_when_the_exporter_cannot_be_imported_the_host_runs_and_is_warned() -> None:
    script = STARTED.replace("del internal._METER_PROVIDER", 'sys.modules["opentelemetry.sdk.metrics.export"] = None')
    done = subprocess.run(
        [sys.executable, "-c", script], env={}, capture_output=True, text=True, check=True, timeout=60
    )

    [warning, running] = done.stdout.splitlines()
    assert warning.startswith("WARNING heap-exporter is not pushing metrics to http://127.0.0.1:9/v1/metrics: ")
    assert (running, done.stderr) == ("running", "")
