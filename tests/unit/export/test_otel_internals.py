"""The private names of OpenTelemetry: they exist in this version, and where they do not, nothing raises in the host."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest
from opentelemetry import metrics
from opentelemetry.metrics import _internal as metrics_api

from heap_exporter.export import otel_internals
from heap_exporter.export.otel_internals import OpenTelemetryChanged
from heap_exporter.notify import otlp_event
from tests.matrix import otel_versions

MOVED = "opentelemetry.metrics._internal._METER_PROVIDER"


def test_without_a_provider_there_is_none() -> None:
    assert otel_internals.meter_provider() is None
    assert otel_internals.logger_provider() is None


def test_a_meter_provider_that_the_application_set_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = metrics.NoOpMeterProvider()
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", provider)

    assert otel_internals.meter_provider() is provider


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


def test_a_name_that_moved_is_an_error_with_name_version_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(metrics_api, "_METER_PROVIDER")
    with pytest.raises(OpenTelemetryChanged) as caught:
        otel_internals.meter_provider()

    assert caught.value.name == MOVED
    assert str(caught.value) == (
        f"OpenTelemetry {caught.value.version} has no {MOVED}; "
        f"upgrade heap-exporter, or install an OpenTelemetry from {otel_internals.TESTED_VERSIONS}"
    )


def test_a_module_that_moved_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry._logs", SimpleNamespace())
    monkeypatch.delitem(sys.modules, "opentelemetry._logs._internal", raising=False)

    with pytest.raises(OpenTelemetryChanged, match=r"has no opentelemetry\._logs\._internal;"):
        otel_internals.logger_provider()


STARTED = """
import logging, sys, time
import heap_exporter
import opentelemetry.metrics._internal as internal
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
del internal._METER_PROVIDER
with heap_exporter.start(http=False, otlp_endpoint="http://127.0.0.1:9") as exporter:
    time.sleep(0.1)
    print("running")
"""


def test_when_a_name_moved_the_host_runs_and_the_push_stops_with_one_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED], env={"OTEL_METRIC_EXPORT_INTERVAL": "10"},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip  # one call

    [warning, running] = done.stdout.splitlines()
    assert warning.startswith("WARNING metrics are not pushed to http://127.0.0.1:9/v1/metrics: OpenTelemetry ")
    assert f"has no {MOVED}; upgrade heap-exporter" in warning
    assert (running, done.stderr) == ("running", "")


def test_when_the_exporter_cannot_be_imported_the_host_runs_and_is_warned() -> None:
    script = STARTED.replace("del internal._METER_PROVIDER", 'sys.modules["opentelemetry.sdk.metrics.export"] = None')
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    [warning, running] = done.stdout.splitlines()
    assert warning.startswith("WARNING metrics are not pushed to http://127.0.0.1:9/v1/metrics: ")
    assert (running, done.stderr) == ("running", "")


def test_when_a_name_moved_alerts_are_not_emitted_as_events_and_one_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "heap_exporter")
    otlp_event._warn_once.cache_clear()
    from opentelemetry._logs import _internal as logs_api

    monkeypatch.delattr(logs_api, "_LOGGER_PROVIDER")

    assert otlp_event.provider() is None
    assert otlp_event.provider() is None
    [record] = caplog.records
    text = record.getMessage()
    assert text.startswith("leak alerts are not emitted as OpenTelemetry events: OpenTelemetry ")
    assert "has no opentelemetry._logs._internal._LOGGER_PROVIDER; upgrade heap-exporter" in text


def test_the_lowest_tested_version_is_the_lowest_that_the_package_allows() -> None:
    assert otel_internals.TESTED_VERSIONS.partition(" ")[0] == otel_versions.lowest_version()
