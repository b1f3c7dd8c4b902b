from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, Metric, MetricsData, NumberDataPoint, Sum

from heap_exporter.export.otlp_data import Delivered, metrics_data, process_resource, pushed_process
from heap_exporter.metrics import METRICS
from heap_exporter.model import Reading
from tests.examples.readings import MEMBER, full_reading

NOW_NS = 1_790_000_020_000_000_000


def by_name(data: MetricsData) -> dict[str, Metric]:
    [resource_metrics] = data.resource_metrics
    [scope_metrics] = resource_metrics.scope_metrics
    return {metric.name: metric for metric in scope_metrics.metrics}


def values(metric: Metric) -> dict[tuple[object, ...], float]:
    points = [point for point in metric.data.data_points if isinstance(point, NumberDataPoint)]
    assert all(tuple(point.attributes or {})[:2] == ("service", "worker") for point in points)
    return {tuple((point.attributes or {}).values())[2:]: point.value for point in points}


def test_every_metric_is_written_with_its_unit_and_all_its_points() -> None:
    reported = by_name(metrics_data([pushed_process(full_reading(), MEMBER)], NOW_NS))

    assert {name: metric.unit for name, metric in reported.items()} == {m.otel_name: m.unit for m in METRICS}
    for metric in METRICS:
        assert values(reported[metric.otel_name]) == dict(metric.read(full_reading())), metric.otel_name


def test_unknown_values_are_left_out() -> None:
    reported = by_name(metrics_data([pushed_process(Reading(started_at=1.0, process_started_at=None), MEMBER)], NOW_NS))

    assert set(reported) == {
        "heap_exporter.build_info", "heap_exporter.census.interval", "heap_exporter.overhead.cpu",
        "python.heap.leak.detections", "python.heap.leak.alerts",
    }  # fmt: skip  # a set is read as one


def test_sizes_are_sums_gauges_are_not_and_counters_are_monotonic() -> None:
    reported = by_name(metrics_data([pushed_process(full_reading(), MEMBER)], NOW_NS))
    size, gauge, counter = (
        reported[name].data for name in ("python.heap.resident", "python.heap.threads", "python.heap.gc.collections")
    )

    assert isinstance(size, Sum)
    assert not size.is_monotonic
    assert isinstance(gauge, Gauge)
    assert isinstance(counter, Sum)
    assert counter.is_monotonic
    assert counter.aggregation_temporality is AggregationTemporality.CUMULATIVE
    assert counter.data_points[0].time_unix_nano == gauge.data_points[0].time_unix_nano == NOW_NS
    assert counter.data_points[0].start_time_unix_nano == 1_790_000_000_500_000_000


def test_with_delta_preference_counters_are_differences_and_sizes_are_not() -> None:
    before = full_reading()
    collector = replace(before.sample.collector, collections=(460, 40, 5))  # type: ignore[union-attr, type-var]
    after = replace(before, sample=replace(before.sample, collector=collector))  # type: ignore[type-var]
    delivered = Delivered({MEMBER: pushed_process(before, MEMBER).values}, 17)
    reported = by_name(metrics_data([pushed_process(after, MEMBER)], NOW_NS, delivered))
    counter, size = reported["python.heap.gc.collections"].data, reported["python.heap.resident"].data

    assert isinstance(counter, Sum)
    assert counter.aggregation_temporality is AggregationTemporality.DELTA
    assert [(point.value, point.start_time_unix_nano) for point in counter.data_points] == [(10, 17), (0, 17), (1, 17)]
    assert isinstance(size, Sum)
    assert size.aggregation_temporality is AggregationTemporality.CUMULATIVE


def test_each_process_is_a_resource_of_its_own() -> None:
    reading, other = full_reading(), replace(MEMBER, worker="4", pid=4712)
    data = metrics_data([pushed_process(reading, MEMBER), pushed_process(reading, other)], NOW_NS)

    found = [each.resource.attributes["heap_exporter.worker"] for each in data.resource_metrics]
    assert found == ["3", "4"]


def test_the_resource_is_made_of_the_environment_and_the_slot_and_has_no_pid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment=test,service.instance.id=web-1,service.name=x")
    attributes = process_resource(MEMBER).attributes

    assert attributes["deployment"] == "test"
    assert attributes["service.name"] == "shop"
    assert attributes["service.instance.id"] == "web-1:shop:3"
    assert attributes["heap_exporter.worker"] == "3"
    assert "process.pid" not in attributes


def test_processes_without_a_slot_are_distinguished_by_their_pids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=web-1")
    attributes = process_resource(replace(MEMBER, has_slot=False)).attributes

    assert attributes["service.instance.id"] == "web-1:shop:4711"
