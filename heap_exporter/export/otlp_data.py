"""A reading as OTLP data: the metrics in the SDK's data classes, and the process as their resource."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

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
from heap_exporter.export.families import MEMBER_LABELS
from heap_exporter.metrics import METRICS, Instrument, LabelledValue, Metric
from heap_exporter.model import Member, Reading

SCOPE = InstrumentationScope("heap_exporter", VERSION)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The last reading that the OTLP receiver accepted, if any, and the time of that push in Unix ns."""

    reading: Reading | None
    at_ns: int


def process_resource(member: Member) -> Resource:
    """Return a process as an OTLP resource, with the attributes of ``OTEL_RESOURCE_ATTRIBUTES``.

    ``service.instance.id`` ends in the service and the worker even if the user sets one: the workers of a forking
    server inherit the environment, and all would write to the same series. It has no pid, so a process continues the
    series of the one that it replaces. Only a process without a slot is named by its pid.
    """
    # Resource.create() runs its detectors in a thread pool, which a fork or the interpreter's exit can break.
    given = OTELResourceDetector().detect().attributes
    worker = member.worker if member.has_slot else str(member.pid)
    instance = given.get(resources.SERVICE_INSTANCE_ID) or socket.gethostname()
    return Resource(
        {
            resources.TELEMETRY_SDK_LANGUAGE: "python",
            resources.TELEMETRY_SDK_NAME: "opentelemetry",
            resources.TELEMETRY_SDK_VERSION: version.__version__,
            **given,
            resources.SERVICE_NAME: member.service,
            resources.SERVICE_INSTANCE_ID: f"{instance}:{member.service}:{worker}",
            "heap_exporter.worker": member.worker,
        }
    )


def metrics_data(reading: Reading, member: Member, at_ns: int, since: Delivered | None = None) -> MetricsData:
    """Return a ``reading`` of ``member`` as OTLP data with the time ``at_ns``, in Unix ns.

    Counters are cumulative, or with ``since`` the difference to that reading.
    """
    metrics = [
        OtlpMetric(metric.otel_name, metric.help, metric.unit, _data(metric, reading, member, since, at_ns))
        for metric in METRICS
        if any(True for _ in metric.read(reading))
    ]
    scope = ScopeMetrics(SCOPE, metrics, schema_url="")
    return MetricsData([ResourceMetrics(process_resource(member), [scope], schema_url="")])


def attributes(metric: Metric, labels: tuple[str, ...], member: Member) -> dict[str, str]:
    """Return the attributes of one OTLP data point: the labels that the series has on ``/metrics``."""
    names = (*MEMBER_LABELS, *metric.labels)
    return dict(zip(names, (member.service, member.worker, *labels), strict=True))


def _data(metric: Metric, reading: Reading, member: Member, since: Delivered | None, at_ns: int) -> Sum | Gauge:
    def points(values: Iterable[LabelledValue], start_ns: int | None) -> list[NumberDataPoint]:
        return [
            NumberDataPoint(attributes(metric, labels, member), start_ns, at_ns, value)  # type: ignore[arg-type]  # the SDK's gauges have no start either
            for labels, value in values
        ]

    if metric.instrument is Instrument.GAUGE:
        return Gauge(points(metric.read(reading), None))
    counts = metric.instrument is Instrument.COUNTER
    if counts and since is not None:
        gained = _gained(metric, reading, since.reading)
        return Sum(points(gained, since.at_ns), AggregationTemporality.DELTA, is_monotonic=True)
    values = points(metric.read(reading), int(reading.started_at * 1e9))
    return Sum(values, AggregationTemporality.CUMULATIVE, is_monotonic=counts)


def _gained(metric: Metric, reading: Reading, previous: Reading | None) -> Iterable[LabelledValue]:
    before = {} if previous is None else dict(metric.read(previous))
    return [(labels, value - before.get(labels, 0.0)) for labels, value in metric.read(reading)]
