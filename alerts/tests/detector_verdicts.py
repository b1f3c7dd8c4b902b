"""The verdicts of the real detector on the samples of a shape, as series of the metrics.

The metrics are read by their definitions, as the exporters do, so that the rules are tested on the real series.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

from alerts.tests.shapes import MIB, Curve, Process, selector, total
from heap_exporter.alerting.alert_rules import FLEET_EXHAUSTION, FLEET_PROPORTIONAL
from heap_exporter.detection.detector import Detector
from heap_exporter.metrics import METRICS
from heap_exporter.model import MemoryKind, Point, Reading, Verdict
from heap_exporter.settings import Settings

SAMPLES_A_MINUTE = 4
VERDICT_METRICS = tuple(
    metric
    for metric in METRICS
    if metric.name in ("python_heap_leak_state", "python_heap_leak_suspected", "python_heap_leak_confirmed")
)
SLOW_FIELDS = {
    "python_heap_malloc_used_bytes": "malloc_used_bytes",
    "python_heap_malloc_retained_bytes": "malloc_retained_bytes",
    "python_heap_allocated_blocks": "allocated_blocks",
    "python_heap_resident_file_bytes": "file_bytes",
}
"""The fields of a point that a shape may have in addition to its memory, by metric."""


class Judged(NamedTuple):
    """The numbers of a verdict: its metrics by name, and the growth in bytes per second."""

    metrics: dict[str, float]
    slope: float


def verdict_series(process: Process, job: str, worker: str, minutes: int) -> dict[str, Curve]:
    """Return the verdict metrics of a process by PromQL selector, minute by minute; NaN where there is no verdict."""
    series: dict[str, list[float]] = {}
    for minute, judged in enumerate(_judged(process, minutes)):
        for name, value in judged.metrics.items():
            series.setdefault(name, [math.nan] * (minutes + 1))[minute] = value
    return {selector(name, job, worker): _curve(values) for name, values in series.items()}


def service_series(process: Process, workers: int, job: str, minutes: int) -> dict[str, Curve]:
    """Return the metrics of a service as a whole by PromQL selector: some workers like ``process``, in one cgroup.

    The limit of the process is that of the cgroup. The growth is that of the detector, as the exporter adds it up.
    """
    used = total(*[process.memory, process.shared] * workers)
    left = [math.nan] * (minutes + 1)
    for minute, judged in enumerate(_judged(process, minutes)):
        slope = workers * judged.slope
        if process.limit is not None and slope > 0:
            left[minute] = max(process.limit - used(minute), 0.0) * MIB / slope
    curves = {FLEET_EXHAUSTION: _curve(left), FLEET_PROPORTIONAL: lambda t: used(t) * MIB}
    return {selector(name, job, None): curve for name, curve in curves.items()}


@functools.cache  # a process is judged once for both functions above, and for all releases of promtool
def _judged(process: Process, minutes: int) -> tuple[Judged, ...]:
    return tuple(Judged(dict(_metrics(verdict)), _slope(verdict)) for verdict in _verdicts(process, minutes))


def _slope(verdict: Verdict | None) -> float:
    """Return the growth of all memory by a verdict in bytes per second, 0 before there is one."""
    trends = verdict.trends if verdict else ()
    return next((trend.slope_bytes_per_second for trend in trends if trend.kind is MemoryKind.TOTAL), 0.0)


def _verdicts(process: Process, minutes: int) -> Iterator[Verdict | None]:
    """Yield the verdict as of each minute of the test. An older process is judged from its start on."""
    detector = Detector(Settings().detector_thresholds)
    verdict = None
    for sample in range(process.started_minute * SAMPLES_A_MINUTE, minutes * SAMPLES_A_MINUTE + 1):
        # A whole minute stays an int: random curves use the text of the number as their seed.
        minute, rest = divmod(sample, SAMPLES_A_MINUTE)
        t = minute + rest / SAMPLES_A_MINUTE if rest else minute
        if math.isfinite(process.memory(t)):
            verdict = detector.observe(_point(process, t))
        if t in range(minutes + 1):
            yield verdict


def _point(process: Process, t: float) -> Point:
    memory, shared = (max(round(curve(t) * MIB), 0) for curve in (process.memory, process.shared))
    whole = t == int(t)
    slow = {
        field: round(process.more[name](t)) for name, field in SLOW_FIELDS.items() if whole and name in process.more
    }
    return Point(
        t_seconds=t * 60.0,
        rss_bytes=memory + shared,
        anonymous_bytes=memory,
        shmem_bytes=shared,
        swap_bytes=round(process.swap(t) * MIB),
        limit_bytes=None if process.limit is None else round(process.limit * MIB),
        restart=t == process.started_minute or (t > 0 and t % process.restart_minutes == 0),
        finding=process.findings.get(int(t)) if whole else None,
        **slow,
    )


def _metrics(verdict: Verdict | None) -> Iterator[tuple[str, float]]:
    reading = Reading(started_at=0.0, process_started_at=0.0, verdict=verdict)
    for metric in VERDICT_METRICS:
        for (label,), value in metric.read(reading):
            yield f'{metric.name}{{{metric.labels[0]}="{label}"}}', value


def _curve(values: list[float]) -> Curve:
    return lambda t: values[int(t)]
