"""The definitions of all metrics: name, unit, instrument, labels, help, and how to read the value from a reading.

The exporters, the README's table, the alert rules and the dashboards use this list. The Prometheus name is derived from
the OpenTelemetry name and unit by the OpenTelemetry-to-Prometheus translation (``UnderscoreEscapingWithSuffixes``), so
that ``/metrics`` and OTLP always have the same metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from heap_exporter._version import VERSION
from heap_exporter.model import Cause, LostGroup, LostKind, Reading, State
from heap_exporter.runtime.interpreter import implementation, python_version

LabelledValue = tuple[tuple[str, ...], float]
"""The values of the labels, in the order of ``Metric.labels``, and the value of the metric."""

OTHER_TYPES = "other"
"""The ``type_name`` for the sum of all types that have no series of their own."""


LOST_SERIES = 10
"""Types and sizes of lost memory that have series of their own."""


class Instrument(StrEnum):
    """The OpenTelemetry instrument; in Prometheus the first two are gauges."""

    GAUGE = "gauge"
    UP_DOWN_COUNTER = "updowncounter"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``unit`` is a UCUM code, as in OpenTelemetry; ``read`` returns nothing where the value is unknown.

    ``read`` takes a :class:`~heap_exporter.model.Reading`; that of a metric of the fleet takes the state of the fleet.
    """

    otel_name: str
    unit: str
    instrument: Instrument
    read: Callable[[Any], Iterable[LabelledValue]]
    help: str
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the name of the metric in Prometheus."""
        name = self.otel_name.replace(".", "_")
        suffix = _UNIT_SUFFIXES.get(self.unit, "")
        if suffix and not name.endswith(f"_{suffix}"):
            name = f"{name}_{suffix}"
        return f"{name}_total" if self.instrument is Instrument.COUNTER else name


_UNIT_SUFFIXES = {"By": "bytes", "s": "seconds", "By/s": "bytes_per_second", "1": "ratio"}


def _value(*path: str) -> Callable[[Reading], Iterable[LabelledValue]]:
    """Return a function that reads the single value of a metric at an attribute path of the reading."""

    def read(reading: Reading) -> Iterable[LabelledValue]:
        found = _follow(reading, path)
        return () if found is None else (((), float(found)),)

    return read


def _by_key(*path: str) -> Callable[[Reading], Iterable[LabelledValue]]:
    """Return a function that reads the values of a metric from a mapping by label value."""

    def read(reading: Reading) -> Iterable[LabelledValue]:
        found = _follow(reading, path)
        return () if found is None else [((key,), float(value)) for key, value in sorted(found.items())]

    return read


def _by_generation(*path: str) -> Callable[[Reading], Iterable[LabelledValue]]:
    """Return a function that reads the values of a metric from a tuple with one value per generation."""

    def read(reading: Reading) -> Iterable[LabelledValue]:
        return [((str(generation),), float(value)) for generation, value in enumerate(_follow(reading, path) or ())]

    return read


def _slopes(reading: Reading) -> Iterable[LabelledValue]:
    trends = reading.verdict.trends if reading.verdict else ()
    return [((trend.kind.value,), trend.slope_bytes_per_second) for trend in trends]


def _by_cause(attribute: str) -> Callable[[Reading], Iterable[LabelledValue]]:
    """Return a function that reads the values of a metric by cause: 1 for the cause of the verdict, 0 for the others.

    So the metric always has a series for each cause.
    """

    def read(reading: Reading) -> Iterable[LabelledValue]:
        verdict = reading.verdict
        if verdict is None:
            return ()
        cause = (verdict.cause or Cause.UNATTRIBUTED) if getattr(verdict, attribute) else None
        return [((each.value,), float(each is cause)) for each in Cause]

    return read


def _last_exit(reading: Reading) -> Iterable[LabelledValue]:
    return (((reading.last_exit.ended.value,), 1.0),) if reading.last_exit else ()


def _state(reading: Reading) -> Iterable[LabelledValue]:
    verdict = reading.verdict
    return [((state.value,), float(state is verdict.state)) for state in State] if verdict else ()


def _by_type(attribute: str) -> Callable[[Reading], Iterable[LabelledValue]]:
    """Return a function that reads the values of a metric by type: one attribute of the types that have a series."""

    def read(reading: Reading) -> Iterable[LabelledValue]:
        return [((count.type_name,), float(getattr(count, attribute))) for count in reading.types]

    return read


def _lost(attribute: str) -> Callable[[Reading], Iterable[LabelledValue]]:
    """Return a function that reads one attribute of the lost objects and blocks of Python, largest group first."""

    def read(reading: Reading) -> Iterable[LabelledValue]:
        if reading.lost is None:
            return ()
        groups = [group for group in reading.lost.groups if group.kind is not LostKind.MALLOC_CHUNK]
        values = {(_lost_name(group),): float(getattr(group, attribute)) for group in groups[:LOST_SERIES]}
        values[OTHER_TYPES,] = float(sum(getattr(group, attribute) for group in groups[LOST_SERIES:]))
        return values.items()

    return read


def _lost_name(group: LostGroup) -> str:
    return group.type_name or f"(blocks of {group.block_bytes} bytes)"


def _lost_native(reading: Reading) -> Iterable[LabelledValue]:
    if reading.lost is None:
        return ()
    chunks = (group.bytes for group in reading.lost.groups if group.kind is LostKind.MALLOC_CHUNK)
    return (((), float(sum(chunks))),)


def _gc_objects(reading: Reading) -> Iterable[LabelledValue]:
    points = list(_by_generation("census", "generation_objects")(reading))
    if reading.sample and reading.sample.collector:
        points.append((("permanent",), float(reading.sample.collector.frozen_objects)))
    return points


def _process_info(reading: Reading) -> Iterable[LabelledValue]:
    member = reading.member
    return (((str(member.pid), reading.role.value), 1.0),) if member else ()


def _build_info(_: Reading) -> Iterable[LabelledValue]:
    return (((VERSION, implementation(), python_version()), 1.0),)


def _walker(reading: Reading) -> Iterable[LabelledValue]:
    return (((reading.walker.name, reading.walker.reason), 1.0),) if reading.walker else ()


def _follow(reading: Reading, path: tuple[str, ...]) -> Any:
    found: Any = reading
    for name in path:
        if found is None:
            return None
        found = getattr(found, name)
    return found


_GAUGE, _SIZE, _COUNTER = Instrument.GAUGE, Instrument.UP_DOWN_COUNTER, Instrument.COUNTER

METRICS: tuple[Metric, ...] = (
    Metric("python.heap.resident", "By", _SIZE, _value("sample", "process", "resident_bytes"),
           "Memory of the process in RAM (RSS)."),
    Metric("python.heap.resident.anonymous", "By", _SIZE, _value("sample", "process", "anonymous_bytes"),
           "Anonymous memory in RAM: private memory that is not backed by a file; a memory leak makes it grow."),
    Metric("python.heap.resident.file", "By", _SIZE, _value("sample", "process", "file_bytes"),
           "Pages of mapped files in RAM, which the kernel can evict."),
    Metric("python.heap.resident.shmem", "By", _SIZE, _value("sample", "process", "shmem_bytes"),
           "Shared memory of the process in RAM."),
    Metric("python.heap.resident.peak", "By", _GAUGE, _value("sample", "process", "peak_bytes"),
           "The highest RSS since the process started."),
    Metric("python.heap.swap", "By", _SIZE, _value("sample", "process", "swap_bytes"),
           "Anonymous memory of the process in swap."),
    Metric("python.heap.proportional", "By", _SIZE, _value("detail", "shares", "proportional_bytes"),
           "RSS with each shared page divided by the number of processes that share it (PSS); read with the census."),
    Metric("python.heap.unique", "By", _SIZE, _value("detail", "shares", "unique_bytes"),
           "Memory that the kernel would free if the process exited (USS); read with the census."),
    Metric("python.heap.limit", "By", _SIZE, _value("detail", "limits", "limit_bytes"),
           "The lowest memory limit of the process's cgroup and its ancestors; absent if there is no limit."),
    Metric("python.heap.allocated_blocks", "{block}", _GAUGE, _value("sample", "allocated_blocks"),
           "Memory blocks that the interpreter has allocated (sys.getallocatedblocks)."),
    Metric("python.heap.malloc.used", "By", _SIZE, _value("detail", "malloc", "used_bytes"),
           "Memory that large Python objects and C extensions have allocated from malloc; read with the census."),
    Metric("python.heap.malloc.retained", "By", _SIZE, _value("detail", "malloc", "retained_bytes"),
           "Freed memory that malloc has not returned to the kernel, an upper bound on fragmentation; read "
           "with the census."),
    Metric("python.heap.threads", "{thread}", _GAUGE, _value("sample", "process", "threads"),
           "Number of threads of the process."),
    Metric("python.heap.process.start_time", "s", _GAUGE, _value("process_started_at"),
           "Time at which the process started, in Unix seconds."),
    Metric("python.heap.process.info", "", _GAUGE, _process_info,
           "The pid of the process, and its role: parent or child of another process of the service, or single; the "
           "value is always 1.",
           ("pid", "role")),
    Metric("python.heap.gc.pending_objects", "{object}", _GAUGE,
           _by_generation("sample", "collector", "pending_objects"),
           "Counts that trigger the next garbage collection of each generation when they reach its threshold "
           "(gc.get_count).", ("generation",)),
    Metric("python.heap.gc.objects", "{object}", _GAUGE, _gc_objects,
           "Objects that the garbage collector tracks, by generation; read with the census.", ("generation",)),
    Metric("python.heap.gc.collections", "{collection}", _COUNTER, _by_generation("sample", "collector", "collections"),
           "Garbage collections since the process started.", ("generation",)),
    Metric("python.heap.gc.uncollectable_objects", "{object}", _COUNTER,
           _by_generation("sample", "collector", "uncollectable_objects"),
           "Objects that the garbage collector found unreachable but could not free.", ("generation",)),
    Metric("python.heap.gc.pause", "s", _COUNTER, _by_generation("counters", "gc_pause_seconds"),
           "Total duration of garbage collections since the exporter started; the process is paused during "
           "collections.",
           ("generation",)),
    Metric("python.heap.type", "By", _SIZE, _by_type("bytes"),
           "Shallow size of the objects of a type at the last census; small types are combined in 'other'.",
           ("type_name",)),
    Metric("python.heap.type.objects", "{object}", _GAUGE, _by_type("objects"),
           "Number of objects of a type at the last census; small types are combined in 'other'.",
           ("type_name",)),
    Metric("python.heap.lost", "By", _SIZE, _lost("bytes"),
           "Size of objects and blocks of Python that C code lost from the first search in the process to the last, by "
           "type; no pointer leads to them.",
           ("type_name",)),
    Metric("python.heap.lost.blocks", "{block}", _GAUGE, _lost("blocks"),
           "Number of objects and blocks of Python that C code lost from the first search in the process to the last.",
           ("type_name",)),
    Metric("python.heap.lost.native", "By", _SIZE, _lost_native,
           "Memory from malloc that C code lost from the first search in the process to the last."),
    Metric("python.heap.leak.state", "", _GAUGE, _state,
           "1 for the current state of the leak detector, 0 for all other states.", ("state",)),
    Metric("python.heap.leak.suspected", "", _GAUGE, _by_cause("is_suspicion"),
           "1 while a leak of this cause is suspected or confirmed.", ("cause",)),
    Metric("python.heap.leak.confirmed", "", _GAUGE, _by_cause("is_confirmed"),
           "1 while a leak of this cause is confirmed, by the shape of the growth or by snapshots.", ("cause",)),
    Metric("python.heap.leak.slope", "By/s", _GAUGE, _slopes,
           "Growth rate of this kind of memory over the observation period of the verdict, estimated robustly "
           "against outliers.",
           ("kind",)),
    Metric("python.heap.leak.tail", "1", _GAUGE, _value("verdict", "tail_ratio"),
           "Growth rate over the last third of the observation period divided by the rate over the whole period: "
           "1 means steady growth, 0 means that growth has levelled off."),
    Metric("python.heap.leak.confidence", "", _GAUGE, _value("verdict", "confidence"),
           "Probability that the growth is a leak, by the leak detector, from 0 to 1."),
    Metric("python.heap.leak.evidence", "s", _GAUGE, _value("verdict", "evidence_seconds"),
           "Length of the observation period on which the leak detector bases its verdict."),
    Metric("python.heap.leak.time_to_exhaustion", "s", _GAUGE, _value("verdict", "seconds_to_limit"),
           "Time until the process reaches its memory limit at the current rate of growth; absent if memory is "
           "not growing or has no limit."),
    Metric("python.heap.leak.detections", "{detection}", _COUNTER, _value("counters", "detections"),
           "Number of times that the leak detector has suspected a leak."),
    Metric("python.heap.leak.alerts", "{alert}", _COUNTER, _value("counters", "alerts"),
           "Number of leak alerts that the exporter has sent."),
    Metric("python.heap.cgroup.events", "{event}", _COUNTER, _by_key("detail", "limits", "events"),
           "Memory events of the process's cgroup, such as oom_kill; read with the census.", ("event",)),
    Metric("heap_exporter.build_info", "", _GAUGE, _build_info,
           "Versions of heap-exporter and of the Python interpreter; the value is always 1.",
           ("version", "implementation", "python")),
    Metric("heap_exporter.sample.duration", "s", _GAUGE, _value("sample", "duration_seconds"),
           "Duration of the last sample."),
    Metric("heap_exporter.sample.errors", "{error}", _COUNTER, _by_key("counters", "sample_errors"),
           "Errors of the exporter, by the probe or stage that failed; a probe whose data source is missing "
           "counts as failed.",
           ("source",)),
    Metric("heap_exporter.last_sample.timestamp", "s", _GAUGE, _value("sample", "taken_at"),
           "Time at which the last sample was taken, in Unix seconds."),
    Metric("heap_exporter.census.duration", "s", _GAUGE, _value("census", "duration_seconds"),
           "Duration of the last census (count of all objects by type), including the breaks in which the "
           "application runs."),
    Metric("heap_exporter.census.pause", "s", _GAUGE, _value("census", "pause_seconds"),
           "Longest pause of the process during the last census."),
    Metric("heap_exporter.census.interval", "s", _GAUGE, _value("census_interval_seconds"),
           "Time between consecutive censuses; lengthened automatically when a census would otherwise exceed its "
           "CPU budget."),
    Metric("heap_exporter.last_census.timestamp", "s", _GAUGE, _value("census", "taken_at"),
           "Time at which the last census was taken, in Unix seconds."),
    Metric("heap_exporter.lost.search.duration", "s", _GAUGE, _value("lost", "search", "duration_seconds"),
           "Duration of the last search for memory that C code has lost; the application continues to run meanwhile."),
    Metric("heap_exporter.overhead.cpu", "s", _COUNTER, _value("counters", "cpu_seconds"),
           "CPU time of the exporter's sampling thread and of the cloned processes that walk the heap."),
    Metric("heap_exporter.walker", "", _GAUGE, _walker,
           "1 for the heap walker in use, with the reason why it was chosen.", ("name", "reason")),
    Metric("heap_exporter.walk.failures", "{failure}", _COUNTER, _by_key("counters", "walk_failures"),
           "Failed heap walks of the native walker, by cause.", ("cause",)),
    Metric("heap_exporter.snapshots", "{snapshot}", _COUNTER, _by_key("counters", "snapshots"),
           "Requested snapshots, by outcome.", ("outcome",)),
    Metric("heap_exporter.snapshot.pause", "s", _GAUGE, _value("snapshot", "pause_seconds"),
           "Longest pause of the process during the last snapshot."),
    Metric("heap_exporter.snapshot.duration", "s", _GAUGE, _value("snapshot", "duration_seconds"),
           "Duration of the last snapshot; the application continues to run during this time."),
    Metric("heap_exporter.snapshot.size", "By", _GAUGE, _value("snapshot", "bytes"),
           "Size of the last snapshot file."),
    Metric("heap_exporter.snapshot.predicted", "By", _GAUGE, _value("snapshot", "predicted_bytes"),
           "Estimated size of the last snapshot file, computed before the snapshot was taken."),
    Metric("heap_exporter.pushes", "{push}", _COUNTER, _by_key("counters", "pushes"),
           "Attempts to push the metrics over OTLP, by outcome.", ("outcome",)),
    Metric("heap_exporter.last_exit", "", _GAUGE, _last_exit,
           '1 if an earlier process of the service was killed: by SIGKILL (`ended="killed"`), or because memory ran '
           'out (`ended="oom-kill"`).',
           ("ended",)),
    Metric("heap_exporter.last_exit.timestamp", "s", _GAUGE, _value("last_exit", "last", "t_seconds"),
           "Time of the last sample of the earlier process that was killed, in Unix seconds."),
    Metric("heap_exporter.last_exit.uptime", "s", _GAUGE, _value("last_exit", "uptime_seconds"),
           "Uptime of the earlier process that was killed."),
    Metric("heap_exporter.last_exit.resident", "By", _GAUGE, _value("last_exit", "last", "rss_bytes"),
           "RSS of the earlier process that was killed, at its last sample."),
    Metric("heap_exporter.last_exit.limit", "By", _GAUGE, _value("last_exit", "last", "limit_bytes"),
           "Memory limit of the earlier process that was killed; absent if there was no limit."),
    Metric("heap_exporter.last_exit.slope", "By/s", _GAUGE, _value("last_exit", "slope_bytes_per_second"),
           "Growth rate of the memory of the earlier process that was killed, over its last 15 minutes."),
    Metric("heap_exporter.webhooks", "{post}", _COUNTER, _by_key("counters", "webhooks"),
           "Attempts to post a leak alert to the webhook, by outcome.", ("outcome",)),
    Metric("heap_exporter.listener.calls", "{call}", _COUNTER, _by_key("counters", "listeners"),
           "Calls to the application's leak listeners, by outcome.", ("outcome",)),
    Metric("heap_exporter.uploads", "{upload}", _COUNTER, _by_key("counters", "uploads"),
           "Attempts to upload a snapshot to the object store, by outcome.", ("outcome",)),
)  # fmt: skip  # a table is easier to read in columns
