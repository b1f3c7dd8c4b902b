"""A reading as OTLP data: the metrics in the SDK's data classes, and the process as their resource."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from opentelemetry.sdk import resources, version
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as OtlpMetric
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from heap_exporter._version import VERSION
from heap_exporter.metrics import METRICS, Instrument, LabelledValue, Metric
from heap_exporter.model import Reading

SCOPE = InstrumentationScope("heap_exporter", VERSION)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The last reading that the OTLP receiver accepted, if any, and the time of that push in Unix ns."""

    reading: Reading | None
    at_ns: int


def process_resource() -> Resource:
    """Return this process as an OTLP resource: ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_SERVICE_NAME``, its pid.

    ``service.instance.id`` ends in the pid even if the user sets one: the workers of a forking server inherit the
    environment, and without the pid all would write to the same series.
    """
    # Resource.create() runs its detectors in a thread pool, which a fork or the interpreter's exit can break.
    given = OTELResourceDetector().detect().attributes
    pid = os.getpid()
    instance = given.get(resources.SERVICE_INSTANCE_ID) or socket.gethostname()
    return Resource(
        {
            resources.TELEMETRY_SDK_LANGUAGE: "python",
            resources.TELEMETRY_SDK_NAME: "opentelemetry",
            resources.TELEMETRY_SDK_VERSION: version.__version__,
            resources.SERVICE_NAME: f"unknown_service:{PurePath(sys.executable).name}",
            **given,
            resources.SERVICE_INSTANCE_ID: f"{instance}:{pid}",
            resources.PROCESS_PID: pid,
        }
    )


def metrics_data(reading: Reading, resource: Resource, at_ns: int, since: Delivered | None = None) -> MetricsData:
    """Return ``reading`` as OTLP data with the time ``at_ns``, in Unix ns.

    Counters are cumulative, or with ``since`` the difference to that reading.
    """
    metrics = [
        OtlpMetric(metric.otel_name, metric.help, metric.unit, _data(metric, reading, since, at_ns))
        for metric in METRICS
        if any(True for _ in metric.read(reading))
    ]
    scope = ScopeMetrics(SCOPE, metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource, [scope], schema_url="")])


def attributes(metric: Metric, labels: tuple[str, ...]) -> dict[str, str]:
    """Return the attributes of one OTLP data point: the metric's label names with their values."""
    return dict(zip(metric.labels, labels, strict=True))


def _data(metric: Metric, reading: Reading, since: Delivered | None, at_ns: int) -> Sum | Gauge:
    if metric.instrument is Instrument.GAUGE:
        return Gauge(_points(metric, metric.read(reading), None, at_ns))
    counts = metric.instrument is Instrument.COUNTER
    if counts and since is not None:
        points = _points(metric, _gained(metric, reading, since.reading), since.at_ns, at_ns)
        return Sum(points, AggregationTemporality.DELTA, is_monotonic=True)
    points = _points(metric, metric.read(reading), int(reading.started_at * 1e9), at_ns)
    return Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=counts)


def _points(metric: Metric, points: Iterable[LabelledValue], start_ns: int | None, at_ns: int) -> list[NumberDataPoint]:
    return [NumberDataPoint(attributes(metric, labels), start_ns, at_ns, value) for labels, value in points]  # type: ignore[arg-type]  # the SDK's gauges have no start either


def _gained(metric: Metric, reading: Reading, previous: Reading | None) -> Iterable[LabelledValue]:
    before = {} if previous is None else dict(metric.read(previous))
    return [(labels, value - before.get(labels, 0.0)) for labels, value in metric.read(reading)]
