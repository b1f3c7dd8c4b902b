"""Reports the metrics through the application's own MeterProvider, as observable instruments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider

from heap_exporter._version import VERSION
from heap_exporter.export import otel_internals
from heap_exporter.export.otlp_data import attributes
from heap_exporter.metrics import METRICS, Instrument, Metric
from heap_exporter.model import Reading

Read = Callable[[], Reading | None]
"""Returns the reading to report; ``None`` where there is none."""


class BorrowedInstruments:
    """OpenTelemetry instruments on the application's MeterProvider.

    Instruments cannot be removed from a provider, so a restarted exporter takes over those that exist: it replaces
    ``read``.
    """

    def __init__(self, meter: Meter) -> None:
        self.read: Read | None = None
        for metric in METRICS:
            create = _creator(meter, metric.instrument)
            create(metric.otel_name, [self._callback(metric)], metric.unit, metric.help)

    def end(self) -> None:
        """Report nothing to the application's MeterProvider from now on."""
        self.read = None

    def _callback(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            read = self.read
            reading = read() if read else None
            if reading is None or reading.member is None:
                return ()
            member = reading.member
            return [Observation(value, attributes(metric, labels, member)) for labels, value in metric.read(reading)]

        return observe


_borrowed: WeakKeyDictionary[MeterProvider, BorrowedInstruments] = WeakKeyDictionary()


def borrow_from_application(read: Read) -> BorrowedInstruments | None:
    """Make the application's MeterProvider report what ``read`` returns; return ``None`` if it has none of the SDK.

    Raises :class:`~heap_exporter.export.otel_internals.OpenTelemetryChanged`.
    """
    provider = otel_internals.meter_provider()
    if not isinstance(provider, MeterProvider):
        return None
    borrowed = _borrowed.get(provider)
    if borrowed is None:
        borrowed = _borrowed[provider] = BorrowedInstruments(provider.get_meter("heap_exporter", VERSION))
    borrowed.read = read
    return borrowed


def _creator(meter: Meter, instrument: Instrument) -> Callable[..., object]:
    return {
        Instrument.GAUGE: meter.create_observable_gauge,
        Instrument.UP_DOWN_COUNTER: meter.create_observable_up_down_counter,
        Instrument.COUNTER: meter.create_observable_counter,
    }[instrument]
