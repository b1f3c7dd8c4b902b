"""The metrics in the formats of Prometheus: a collector for registries, and the body of ``/metrics``, encoded ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from heap_exporter import metrics
from heap_exporter.metrics import METRICS, Instrument
from heap_exporter.model import Reading

OPENMETRICS_END = b"# EOF\n"

MAX_FORMATS = 4
"""Formats that are encoded ahead: a client chooses the version in the content type, so their number is unlimited."""


def families(reading: Reading) -> Iterator[Metric]:
    """Yield a Prometheus metric family for each metric that has a value in the reading."""
    for entry in METRICS:
        points = entry.read(reading)
        family = _family(entry)
        for labels, value in points:
            family.add_metric(labels, value)
        if family.samples:
            yield family


def _family(entry: metrics.Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if entry.instrument is Instrument.COUNTER else GaugeMetricFamily
    return kind(entry.name, entry.help, labels=entry.labels)


class HeapCollector:
    """A Prometheus collector for any ``CollectorRegistry``. It returns the last reading and never walks the heap."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Return every Prometheus family without samples, so that to register the collector collects nothing."""
        return [_family(entry) for entry in METRICS]

    def collect(self) -> Iterable[Metric]:
        """Return the Prometheus families of the last reading."""
        return families(self._read())


class _FixedCollector:
    """A collector with fixed metrics, for the encoders of client_python."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


class MetricsPage:
    """The body of ``/metrics``: metrics of a reading, encoded once, and client_python's metrics of each scrape."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._standard = CollectorRegistry(auto_describe=False)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._standard)
        self._accepted: dict[str, str] = {}
        self._encoded: tuple[Reading, dict[str, bytes]] | None = None

    def publish(self, reading: Reading) -> None:
        """Encode a reading in each Prometheus format that was scraped before, so that a scrape need not encode it."""
        self._encoded = reading, {kind: _encode(reading, accept) for kind, accept in self._accepted.copy().items()}

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return /metrics in the Prometheus format that the ``Accept`` header prefers, and its content type."""
        encoder, content_type = choose_encoder(accept)
        if len(self._accepted) < MAX_FORMATS:
            self._accepted.setdefault(content_type, accept)
        reading = self._read()
        if self._encoded is None or self._encoded[0] is not reading:
            self._encoded = reading, {}
        encoded = self._encoded[1]
        body = encoded.get(content_type)
        if body is None:
            body = _encode(reading, accept)
            if content_type in self._accepted:
                encoded[content_type] = body
        return body + encoder(self._standard), content_type


def _encode(reading: Reading, accept: str) -> bytes:
    encoder, _ = choose_encoder(accept)
    return encoder(_FixedCollector(list(families(reading)))).removesuffix(OPENMETRICS_END)
