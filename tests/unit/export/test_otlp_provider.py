from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from opentelemetry import metrics
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric, NumberDataPoint, Sum

from heap_exporter._version import VERSION
from heap_exporter.export.otlp import OtlpPusher
from heap_exporter.export.otlp_provider import borrow_from_application
from heap_exporter.export.otlp_receiver import OtlpProtocol, OtlpReceiver
from heap_exporter.metrics import METRICS
from tests.doubles.otlp_receivers import http_receiver, wait_until
from tests.examples.readings import full_reading


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    """The reader of the application's provider, which exists during the test."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", provider)
    yield reader
    provider.shutdown()


def reported(reader: InMemoryMetricReader) -> dict[str, dict[tuple[object, ...], float]]:
    data = reader.get_metrics_data()
    if data is None:
        return {}
    [scope_metrics] = data.resource_metrics[0].scope_metrics
    assert (scope_metrics.scope.name, scope_metrics.scope.version) == ("heap_exporter", VERSION)
    return {metric.name: values(metric) for metric in scope_metrics.metrics}


def values(metric: Metric) -> dict[tuple[object, ...], float]:
    points = [point for point in metric.data.data_points if isinstance(point, NumberDataPoint)]
    assert all(tuple(point.attributes or {})[:2] == ("service", "worker") for point in points)
    return {tuple((point.attributes or {}).values())[2:]: point.value for point in points}


def test_the_application_s_provider_collects_every_metric(collected: InMemoryMetricReader) -> None:
    borrow_from_application(full_reading)

    assert reported(collected) == {metric.otel_name: dict(metric.read(full_reading())) for metric in METRICS}


def test_counters_stay_counters_and_sizes_stay_sums(collected: InMemoryMetricReader) -> None:
    borrow_from_application(full_reading)
    data = collected.get_metrics_data()
    assert data is not None
    sums = {
        metric.name: metric.data.is_monotonic
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        if isinstance(metric.data, Sum)
    }

    assert sums["python.heap.gc.collections"]
    assert not sums["python.heap.resident"]
    assert "python.heap.threads" not in sums


def test_after_a_restart_the_provider_reports_the_new_exporter_s_reading(collected: InMemoryMetricReader) -> None:
    first = borrow_from_application(full_reading)
    assert first is not None
    first.end()
    assert reported(collected) == {}

    borrow_from_application(lambda: replace(full_reading(), census_interval_seconds=7.0))
    assert reported(collected)["heap_exporter.census.interval"] == {(): 7.0}


def test_without_a_reading_nothing_is_reported(collected: InMemoryMetricReader) -> None:
    borrow_from_application(lambda: None)

    assert reported(collected) == {}


def test_with_a_provider_of_the_application_nothing_is_pushed(collected: InMemoryMetricReader) -> None:
    pushed: list[str] = []
    stop = threading.Event()
    with http_receiver() as receiver:
        pusher = OtlpPusher(OtlpReceiver(receiver.url, OtlpProtocol.HTTP, 0.01), full_reading, pushed.append)
        thread = threading.Thread(target=pusher.run, args=(stop,))
        thread.start()
        seen = reported(collected)
        stop.set()
        thread.join(10)

    assert seen
    assert pushed == []
    assert receiver.requests.empty()
    assert reported(collected) == {}


def test_a_provider_that_the_application_sets_late_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    stop = threading.Event()
    with http_receiver() as receiver:
        pusher = OtlpPusher(OtlpReceiver(receiver.url, OtlpProtocol.HTTP, 0.05), full_reading, lambda _: None)
        thread = threading.Thread(target=pusher.run, args=(stop,))
        thread.start()
        receiver.next()
        monkeypatch.setattr(metrics_api, "_METER_PROVIDER", MeterProvider([reader], shutdown_on_exit=False))
        wait_until(lambda: reported(reader))
        stop.set()
        thread.join(10)


def test_without_a_provider_of_the_sdk_nothing_is_borrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert borrow_from_application(full_reading) is None
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", metrics.NoOpMeterProvider())
    assert borrow_from_application(full_reading) is None
