"""The metrics as a collector for registries of client_python."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from heap_exporter.export.families import Family, families, family_of
from heap_exporter.metrics import METRICS
from heap_exporter.model import Reading


class HeapCollector:
    """A Prometheus collector for any ``CollectorRegistry``. It returns the last reading and never walks the heap."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Return every Prometheus family without samples, so that to register the collector collects nothing."""
        return [_converted(family_of(entry)) for entry in METRICS]

    def collect(self) -> Iterable[Metric]:
        """Return the Prometheus families of the last reading."""
        return map(_converted, families(self._read()))


def _converted(family: Family) -> Metric:
    kind = CounterMetricFamily if family.is_counter else GaugeMetricFamily
    converted = kind(family.name, family.help, labels=family.labels)
    for values, number in family.points:
        converted.add_metric(values, number)
    return converted
