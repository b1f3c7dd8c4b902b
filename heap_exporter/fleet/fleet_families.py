"""The metrics of a fleet as a whole, which no member has alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from heap_exporter.export.families import Family, family_of
from heap_exporter.fleet.fleet_pages import FleetMember
from heap_exporter.metrics import Instrument, LabelledValue, Metric
from heap_exporter.model import State

LEAKS = (State.SUSPECTED, State.CONFIRMED)
"""The states of a process that leaks."""


@dataclass(frozen=True, slots=True)
class FleetState:
    """All members at one moment, in Unix seconds, and how many alerts were received, by outcome."""

    members: Sequence[FleetMember]
    now: float
    alerts_received: Mapping[str, int] = field(default_factory=dict)


def _up(state: FleetState) -> Iterable[LabelledValue]:
    return [
        ((each.member.service, each.member.worker), float(each.is_up(state.now)))
        for each in state.members
        if each.page is not None
    ]


def _sum(name: str) -> Callable[[FleetState], Iterable[LabelledValue]]:
    """Return a function that adds up a metric of all members of a service, for each value of its other labels."""

    def read(state: FleetState) -> Iterable[LabelledValue]:
        sums: dict[tuple[str, ...], float] = {}
        for each in state.members:
            for labels, number in each.page.values.get(name, ()) if each.page else ():
                key = each.member.service, *labels
                sums[key] = sums.get(key, 0.0) + number
        return sorted(sums.items())

    return read


def _sum_by_type(name: str) -> Callable[[FleetState], Iterable[LabelledValue]]:
    """Return a function that adds up a metric by type; a service with one process has that of the process only."""
    read_sum = _sum(name)

    def read(state: FleetState) -> Iterable[LabelledValue]:
        counts = Counter(each.member.service for each in state.members)
        return [point for point in read_sum(state) if counts[point[0][0]] > 1]

    return read


def _leaking(state: FleetState) -> Iterable[LabelledValue]:
    counts = Counter((each.member.service, each.page.verdict.state.value) for each in state.members if each.page)
    services = sorted({each.member.service for each in state.members})
    return [((service, leak.value), float(counts[service, leak.value])) for service in services for leak in LEAKS]


def _seconds_to_exhaustion(state: FleetState) -> Iterable[LabelledValue]:
    """Return for each service when the first of its cgroups is full: each grows by the slopes of all in it together."""
    slopes: dict[Hashable, float] = {}
    headroom: dict[Hashable, tuple[float, float]] = {}
    groups: dict[str, set[Hashable]] = {}
    for each in state.members:
        page = each.page
        if page is None or page.limited_group is None or page.headroom_bytes is None:
            continue
        group = each.member.boot_id, page.limited_group
        slopes[group] = slopes.get(group, 0.0) + max(page.verdict.slope_bytes_per_second or 0.0, 0.0)
        headroom[group] = max(headroom.get(group, (0.0, 0.0)), (page.published_at, page.headroom_bytes))
        groups.setdefault(each.member.service, set()).add(group)
    return [
        ((service,), min(max(headroom[group][1], 0.0) / slopes[group] for group in growing))
        for service, found in sorted(groups.items())
        if (growing := [group for group in found if slopes[group] > 0])
    ]


def _count(state: FleetState) -> Iterable[LabelledValue]:
    counts = Counter(each.member.service for each in state.members)
    return [((service,), float(number)) for service, number in sorted(counts.items())]


def _hub(_: FleetState) -> Iterable[LabelledValue]:
    return (((str(os.getpid()),), 1.0),)


def _alerts_received(state: FleetState) -> Iterable[LabelledValue]:
    return [((outcome,), float(count)) for outcome, count in sorted(state.alerts_received.items())]


FLEET_METRICS: tuple[Metric, ...] = (
    Metric("heap_exporter.process.up", "", Instrument.GAUGE, _up,
           "1 for each process of the fleet, 0 while it publishes no samples: it is stopped, or its sampling thread "
           "hangs.",
           ("service", "worker")),
    Metric("heap_exporter.processes", "", Instrument.GAUGE, _count,
           "Number of live processes of a service that share the snapshot folder.", ("service",)),
    Metric("heap_exporter.hub_info", "", Instrument.GAUGE, _hub,
           "The process that answers for all; the value is always 1.", ("pid",)),
    Metric("heap_exporter.alerts_received", "", Instrument.COUNTER, _alerts_received,
           "Alerts that Alertmanager has sent to `/-/alertmanager`, by what became of them; absent before the first.",
           ("outcome",)),
    Metric("python.heap.fleet.proportional", "By", Instrument.UP_DOWN_COUNTER, _sum("python_heap_proportional_bytes"),
           "Memory of all processes of the service together, each shared page counted once (sum of their PSS).",
           ("service",)),
    Metric("python.heap.fleet.unique", "By", Instrument.UP_DOWN_COUNTER, _sum("python_heap_unique_bytes"),
           "Memory that the processes of the service share with no other process (sum of their USS).", ("service",)),
    Metric("python.heap.fleet.type", "By", Instrument.UP_DOWN_COUNTER, _sum_by_type("python_heap_type_bytes"),
           "Shallow size of the objects of a type in all processes of the service; absent if there is only one.",
           ("service", "type_name")),
    Metric("python.heap.fleet.type.objects", "{object}", Instrument.GAUGE, _sum_by_type("python_heap_type_objects"),
           "Number of objects of a type in all processes of the service; absent if there is only one.",
           ("service", "type_name")),
    Metric("python.heap.fleet.leaking_processes", "{process}", Instrument.GAUGE, _leaking,
           "Number of processes of the service with a suspected or confirmed leak.", ("service", "state")),
    Metric("python.heap.fleet.time_to_exhaustion", "s", Instrument.GAUGE, _seconds_to_exhaustion,
           "Time until the cgroup of the service reaches its memory limit at the current rate of growth of all its "
           "processes together; absent if memory is not growing or has no limit.", ("service",)),
)  # fmt: skip  # a table is easier to read in columns


def fleet_families(state: FleetState) -> Iterator[Family]:
    """Yield a Prometheus family for each metric of the fleet that has a value."""
    for entry in FLEET_METRICS:
        if points := entry.read(state):
            yield family_of(entry, points)
