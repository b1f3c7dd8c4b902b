"""The private names of OpenTelemetry exist in this version; without them nothing raises in the host."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import pytest
from opentelemetry import metrics
from opentelemetry.metrics import _internal as metrics_api

from heap_exporter.export import otel_internals
from heap_exporter.export.otel_internals import OpenTelemetryChanged
from heap_exporter.notify import otel_event
from tests.matrix.dependency_versions import SDK, lowest_versions

MOVED = "opentelemetry.metrics._internal._METER_PROVIDER"


def test_without_a_provider_there_is_none() -> None:
    assert otel_internals.meter_provider() is None
    assert otel_internals.logger_provider() is None


def test_a_meter_provider_that_the_application_set_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = metrics.NoOpMeterProvider()
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", provider)

    assert otel_internals.meter_provider() is provider


def test_a_name_that_moved_is_an_error_with_name_version_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(metrics_api, "_METER_PROVIDER")
    with pytest.raises(OpenTelemetryChanged) as caught:
        otel_internals.meter_provider()

    assert caught.value.name == MOVED
    assert str(caught.value) == (
        f"OpenTelemetry {caught.value.version} has no {MOVED}; "
        f"upgrade heap-exporter, or install a tested version of OpenTelemetry ({otel_internals.TESTED_VERSIONS})"
    )


def test_a_module_that_moved_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry._logs", SimpleNamespace())
    monkeypatch.delitem(sys.modules, "opentelemetry._logs._internal", raising=False)

    with pytest.raises(OpenTelemetryChanged, match=r"has no opentelemetry\._logs\._internal;"):
        otel_internals.logger_provider()


def test_when_a_name_moved_alerts_are_not_emitted_as_events_and_one_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "heap_exporter")
    otel_event._warn_once.cache_clear()
    from opentelemetry._logs import _internal as logs_api

    monkeypatch.delattr(logs_api, "_LOGGER_PROVIDER")

    assert otel_event.provider() is None
    assert otel_event.provider() is None
    [record] = caplog.records
    text = record.getMessage()
    assert text.startswith("leak alerts are not emitted as OpenTelemetry events: OpenTelemetry ")
    assert "has no opentelemetry._logs._internal._LOGGER_PROVIDER; upgrade heap-exporter" in text


def test_the_lowest_tested_version_is_the_lowest_that_the_package_allows() -> None:
    assert otel_internals.TESTED_VERSIONS.partition(" ")[0] == lowest_versions()[SDK]
