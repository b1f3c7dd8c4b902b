"""The metrics of a reading as Prometheus has them: families of samples with labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heap_exporter.metrics import METRICS, Instrument, LabelledValue, Metric
from heap_exporter.model import Member, Reading

MEMBER_LABELS = ("service", "worker")
"""The labels of every series: which process of which service exports it. Neither changes when a process restarts."""


class Family(NamedTuple):
    """A Prometheus metric with all its samples; the name of a counter ends in ``_total``."""

    name: str
    help: str
    is_counter: bool
    labels: tuple[str, ...]
    points: Iterable[LabelledValue]


def families(reading: Reading) -> Iterator[Family]:
    """Yield a Prometheus family for each metric that has a value in the reading; none before the process has a slot."""
    if reading.member is not None:
        known = (family_of(entry, points) for entry in METRICS if (points := entry.read(reading)))
        yield from of_member(reading.member, known)


def of_member(member: Member, found: Iterable[Family]) -> Iterator[Family]:
    """Yield Prometheus families with the labels of the process that exports them."""
    own = (member.service, member.worker)
    for family in found:
        points = [((*own, *values), number) for values, number in family.points]
        yield family._replace(labels=(*MEMBER_LABELS, *family.labels), points=points)


def family_of(entry: Metric, points: Iterable[LabelledValue] = ()) -> Family:
    """Return the Prometheus family of a metric."""
    return Family(entry.name, entry.help, entry.instrument is Instrument.COUNTER, entry.labels, points)
