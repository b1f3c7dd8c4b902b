"""The metrics of a reading as Prometheus has them: families of samples with labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heap_exporter.metrics import METRICS, Instrument, LabelledValue, Metric
from heap_exporter.model import Reading


class Family(NamedTuple):
    """A Prometheus metric with all its samples; the name of a counter ends in ``_total``."""

    name: str
    help: str
    is_counter: bool
    labels: tuple[str, ...]
    points: Iterable[LabelledValue]


def families(reading: Reading) -> Iterator[Family]:
    """Yield a Prometheus family for each metric that has a value in the reading."""
    for entry in METRICS:
        if points := entry.read(reading):
            yield family_of(entry, points)


def family_of(entry: Metric, points: Iterable[LabelledValue] = ()) -> Family:
    """Return the Prometheus family of a metric."""
    return Family(entry.name, entry.help, entry.instrument is Instrument.COUNTER, entry.labels, points)
