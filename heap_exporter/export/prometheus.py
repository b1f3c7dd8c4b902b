"""The metrics as a collector for registries of client_python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from heap_exporter.export.families import Family, family_of
from heap_exporter.metrics import METRICS
from heap_exporter.metrics import Metric as OwnMetric


class HeapCollector:
    """A Prometheus collector for any ``CollectorRegistry``. It returns what ``read`` returns, and never walks the heap.

    ``further`` are metrics that it may return besides those of a process.
    """

    def __init__(self, read: Callable[[], Iterable[Family]], further: Sequence[OwnMetric] = ()) -> None:
        self._read = read
        self._further = further

    def describe(self) -> Iterable[Metric]:
        """Return every Prometheus family without samples, so that to register the collector collects nothing."""
        return [_converted(family_of(entry)) for entry in chain(METRICS, self._further)]

    def collect(self) -> Iterable[Metric]:
        """Return the Prometheus families now."""
        return map(_converted, self._read())


def _converted(family: Family) -> Metric:
    kind = CounterMetricFamily if family.is_counter else GaugeMetricFamily
    converted = kind(family.name, family.help, labels=family.labels)
    for values, number in family.points:
        converted.add_metric(values, number)
    return converted
