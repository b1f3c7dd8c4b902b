"""Lends the catalogue's metrics to the application's own MeterProvider, as observable instruments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

import opentelemetry.metrics._internal as metrics_api
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider

from heap_exporter._version import VERSION
from heap_exporter.export.otlp_data import attributes
from heap_exporter.metrics import METRICS, Instrument, Metric
from heap_exporter.model import Reading

Read = Callable[[], Reading | None]
"""Gives the reading to tell; ``None`` where nothing is known."""


class BorrowedInstruments:
    """Instruments on a MeterProvider. They cannot be taken back, so what they read is exchanged instead."""

    def __init__(self, meter: Meter) -> None:
        self.read: Read | None = None
        for metric in METRICS:
            create = _creator(meter, metric.instrument)
            create(metric.otel_name, [self._callback(metric)], metric.unit, metric.help)

    def end(self) -> None:
        """Report nothing from now on."""
        self.read = None

    def _callback(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            read = self.read
            reading = read() if read else None
            points = metric.read(reading) if reading else ()
            return [Observation(value, attributes(metric, labels)) for labels, value in points]

        return observe


_loans: WeakKeyDictionary[MeterProvider, BorrowedInstruments] = WeakKeyDictionary()


def lend_to_application(read: Read) -> BorrowedInstruments | None:
    """Let the application's MeterProvider report what ``read`` gives; return ``None`` if it has none of the SDK."""
    # get_meter_provider() would make a global provider where OTEL_PYTHON_METER_PROVIDER is set and none exists yet.
    provider = getattr(metrics_api, "_METER_PROVIDER", None)
    if not isinstance(provider, MeterProvider):
        return None
    loan = _loans.get(provider)
    if loan is None:
        loan = _loans[provider] = BorrowedInstruments(provider.get_meter("heap_exporter", VERSION))
    loan.read = read
    return loan


def _creator(meter: Meter, instrument: Instrument) -> Callable[..., object]:
    return {
        Instrument.GAUGE: meter.create_observable_gauge,
        Instrument.UP_DOWN_COUNTER: meter.create_observable_up_down_counter,
        Instrument.COUNTER: meter.create_observable_counter,
    }[instrument]
