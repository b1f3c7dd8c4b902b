"""A reading as OTLP data: the metrics in the SDK's data classes, and the process as their resource."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
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


Values = Mapping[str, Sequence[LabelledValue]]
"""The samples of each metric by its Prometheus name."""


@dataclass(frozen=True, slots=True)
class PushedProcess:
    """What is pushed of a process; its cumulative counters begin at ``started_at``, in Unix seconds."""

    member: Member
    started_at: float
    values: Values


@dataclass(frozen=True, slots=True)
class Delivered:
    """The values of each process that the OTLP receiver has accepted, and the time of that push in Unix ns."""

    values: Mapping[Member, Values]
    at_ns: int


def pushed_process(reading: Reading, member: Member) -> PushedProcess:
    """Return what is pushed of the own process at a reading."""
    values = {metric.name: points for metric in METRICS if (points := tuple(metric.read(reading)))}
    return PushedProcess(member, reading.started_at, values)


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


def metrics_data(processes: Iterable[PushedProcess], at_ns: int, since: Delivered | None = None) -> MetricsData:
    """Return processes as OTLP data with the time ``at_ns``, in Unix ns.

    Counters are cumulative, or with ``since`` the difference to what was delivered.
    """
    return MetricsData([_of_process(each, at_ns, since) for each in processes])


def _of_process(process: PushedProcess, at_ns: int, since: Delivered | None) -> ResourceMetrics:
    metrics = [
        OtlpMetric(metric.otel_name, metric.help, metric.unit, _data(metric, process, since, at_ns))
        for metric in METRICS
        if metric.name in process.values
    ]
    scope = ScopeMetrics(SCOPE, metrics, schema_url="")
    return ResourceMetrics(process_resource(process.member), [scope], schema_url="")


def attributes(metric: Metric, labels: tuple[str, ...], member: Member) -> dict[str, str]:
    """Return the attributes of one OTLP data point: the labels that the series has on ``/metrics``."""
    names = (*MEMBER_LABELS, *metric.labels)
    return dict(zip(names, (member.service, member.worker, *labels), strict=True))


def _data(metric: Metric, process: PushedProcess, since: Delivered | None, at_ns: int) -> Sum | Gauge:
    found = process.values[metric.name]

    def points(values: Iterable[LabelledValue], start_ns: int | None) -> list[NumberDataPoint]:
        return [
            NumberDataPoint(attributes(metric, labels, process.member), start_ns, at_ns, value)  # type: ignore[arg-type]  # the SDK's gauges have no start either
            for labels, value in values
        ]

    if metric.instrument is Instrument.GAUGE:
        return Gauge(points(found, None))
    counts = metric.instrument is Instrument.COUNTER
    if counts and since is not None:
        before = dict(since.values.get(process.member, {}).get(metric.name, ()))
        gained = [(labels, value - before.get(labels, 0.0)) for labels, value in found]
        return Sum(points(gained, since.at_ns), AggregationTemporality.DELTA, is_monotonic=True)
    values = points(found, int(process.started_at * 1e9))
    return Sum(values, AggregationTemporality.CUMULATIVE, is_monotonic=counts)
