"""The alerts: the condition of each, how long it must hold, and the texts of the alert.

Growth is judged twice: by PromQL from the shape of the scraped series, and by the detector inside the process, which
uses every sample and the snapshots. Alerts that healthy growth could raise need both, see :func:`_unless_vetoed`.
"""

from __future__ import annotations

from dataclasses import dataclass

from heap_exporter.alerting.growth import PROCESS_START, all_of
from heap_exporter.alerting.recording_rules import MALLOC_USED, MEMORY, SUSPECTED, TYPE_OBJECTS, steady
from heap_exporter.alerting.thresholds import AlertThresholds
from heap_exporter.runtime.quantities import DAY_SECONDS, short_duration

MALLOC_RETAINED = "python_heap_malloc_retained_bytes"
LIMIT = "python_heap_limit_bytes"
FLEET_EXHAUSTION = "python_heap_fleet_time_to_exhaustion_seconds"
FLEET_PROPORTIONAL = "python_heap_fleet_proportional_bytes"
OF_ONE_SERVICE = "on (job, instance, service)"
"""Matches the processes of a service with the metrics of the service as a whole, which have no label ``worker``."""

WORKER = "{{ $labels.service }} worker {{ $labels.worker }} on {{ $labels.instance }} ({{ $labels.job }})"
OF_PROCESS = f"of {WORKER}"

LARGE_BLOCK_BYTES = 16_384
"""Python objects do not explain growth of malloc with fewer new interpreter blocks than one per this size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One alert rule; ``hold_seconds`` is its ``for`` in the rule file."""

    name: str
    severity: str
    expr: str
    hold_seconds: float
    keep_firing_seconds: float = 0
    summary: str
    description: str


def alert_rules(t: AlertThresholds) -> tuple[AlertRule, ...]:
    """Return the alert rules: growth of all memory first, then of its kinds, then errors of the exporter."""
    return (
        _growth_sustained(t),
        _leak_suspected(t),
        _leak_confirmed(t),
        _exhaustion_predicted(t),
        _native_leak_suspected(t),
        _type_growing(t),
        _fragmentation_high(t),
        _uncollectable_objects(t),
        _sampler_stalled(t),
    )


def _at_least(t: AlertThresholds, series: str, min_per_hour: float) -> str:
    """Return the PromQL of the smallest growth per hour that alerts: a minimum, or a share of the series if larger."""
    return f"clamp_min({promql_number(t.min_growth_percent_per_hour / 100)} * {series}, {promql_number(min_per_hour)})"


def _unless_vetoed(t: AlertThresholds, condition: str, extra_label: str = "") -> str:
    """Return the PromQL ``condition``, except for processes whose detector has reported no leak for a whole window.

    A detector that is warming up, or whose metrics are absent, has no veto. ``extra_label`` is a label of the condition
    that the metrics of the process do not have.
    """
    matching = f"ignoring ({extra_label}) " if extra_label else ""
    return f"{condition}\nunless {matching}max_over_time({SUSPECTED}[{short_duration(t.window_seconds)}]) == 0"


def _growth_sustained(t: AlertThresholds) -> AlertRule:
    return AlertRule(
        name="PythonHeapGrowthSustained",
        severity="info",
        expr=_unless_vetoed(
            t,
            f"({steady(t, MEMORY, 1)} or {steady(t, MEMORY, 4)}) * 3600\n"
            f"  > {_at_least(t, MEMORY, t.min_slope_bytes_per_hour)}",
        ),
        hold_seconds=t.hold_seconds,
        keep_firing_seconds=t.window_seconds,
        summary="The memory of a Python process has been growing steadily.",
        description=f"Memory {OF_PROCESS} is growing by {{{{ $value | humanize1024 }}}}B/h and is not levelling off. "
        "A cache that is filling up shows the same growth.",
    )


def _leak_suspected(t: AlertThresholds) -> AlertRule:
    # A day does not follow the window: this condition is about the daily rhythm of the load.
    offset = t.window_seconds * 16
    higher_than_yesterday = (
        f"min_over_time({MEMORY}[{short_duration(t.window_seconds * 4)}])"
        f" > max_over_time({MEMORY}[1d] offset {short_duration(offset)})"
    )
    return AlertRule(
        name="PythonHeapLeakSuspected",
        severity="warning",
        expr=_unless_vetoed(
            t,
            all_of(
                f"({steady(t, MEMORY, 24)} * 3600\n  > {_at_least(t, MEMORY, t.min_slow_slope_bytes_per_hour)})",
                f"((time() - {PROCESS_START}) <= {promql_number(DAY_SECONDS + offset)}\n  or {higher_than_yesterday})",
            ),
        ),
        hold_seconds=t.hold_seconds * 2,
        keep_firing_seconds=t.window_seconds * 4,
        summary="A Python process is probably leaking memory.",
        description=f"Memory {OF_PROCESS} has been growing linearly by {{{{ $value | humanize1024 }}}}B/h "
        f"for {short_duration(t.window_seconds * 24)} and exceeds its earlier maximum.",
    )


def _leak_confirmed(t: AlertThresholds) -> AlertRule:
    # Stairs and the sawtooth of the garbage collector need the longer range, a process just restarted the shorter one.
    long, short = (short_duration(t.window_seconds * windows) for windows in (4, 1))
    slope = f"deriv({MEMORY}[{long}]) > 0 or deriv({MEMORY}[{short}]) > 0"
    return AlertRule(
        name="PythonHeapLeakConfirmed",
        # Not critical: memory is left, and the snapshots are on the disk. PythonHeapExhaustionPredicted is critical.
        severity="warning",
        expr=f"(python_heap_leak_confirmed == 1)\n* ignoring (cause) group_left ()\n  (({slope}) * 3600)",
        hold_seconds=t.hold_seconds / 3,
        keep_firing_seconds=t.window_seconds,
        summary="The leak detector of a Python process has confirmed a memory leak.",
        description=f"The leak detector in {WORKER} has confirmed a leak of "
        "{{ $value | humanize1024 }}B/h (cause: {{ $labels.cause }}). "
        "The process's /verdict page shows the reasons and the snapshot IDs; "
        "`heap-exporter report` shows which references keep the memory in use.",
    )


def _exhaustion_predicted(t: AlertThresholds) -> AlertRule:
    # Without the detector: the kernel kills a process for a cache as for a leak. No range is extrapolated to more than
    # four times its length: within that time a plateau that looks like a line has levelled off.
    short, long = (promql_number(t.window_seconds * windows) for windows in (4, 16))
    steady_now, steady_lately, steady_for_long = (steady(t, MEMORY, windows) for windows in (1, 4, 24))
    return AlertRule(
        name="PythonHeapExhaustionPredicted",
        severity="critical",
        expr=f"{_exhaustion_of_service(short, long, steady_now, f'({steady_for_long} or {steady_lately})')}\n"
        f"or {_exhaustion_of_process(short, long, steady_now, (steady_for_long, steady_lately))}\n"
        f"  unless {OF_ONE_SERVICE} {FLEET_PROPORTIONAL}",
        hold_seconds=t.hold_seconds,
        summary="A Python service will reach its memory limit soon.",
        description="Memory of {{ $labels.service }}{{ with $labels.worker }} worker {{ . }}{{ end }} on "
        "{{ $labels.instance }} ({{ $labels.job }}) is growing steadily and will reach the memory limit of the cgroup "
        "in {{ $value | humanizeDuration }}; the kernel will then kill a process.",
    )


def _exhaustion_of_service(short: str, long: str, steady_now: str, steady_longer: str) -> str:
    """Return the PromQL of the time in which all processes of a service together reach the limit, if that is soon.

    The kernel counts them together, so each has only a part of the memory and of its growth.
    """
    return (
        f"(\n  {FLEET_EXHAUSTION} < {long}\n    and {OF_ONE_SERVICE} {steady_longer}\n"
        f"  or {FLEET_EXHAUSTION} < {short}\n    and {OF_ONE_SERVICE} {steady_now}\n)\n"
        f"and {OF_ONE_SERVICE} (0.5 * {LIMIT} < {OF_ONE_SERVICE} group_left () {FLEET_PROPORTIONAL})"
    )


def _exhaustion_of_process(short: str, long: str, steady_now: str, steady_longer: tuple[str, str]) -> str:
    """Return the PromQL of the time in which a process alone reaches the limit, if that is soon.

    It is for processes that are scraped or push one by one, without the metrics of the service as a whole.
    """
    horizons = (*((slope, long) for slope in steady_longer), (steady_now, short))
    soon = "\n    or ".join(f"clamp_min({LIMIT} - {MEMORY}, 0) / {slope} < {horizon}" for slope, horizon in horizons)
    return f"(\n    {soon}\n  )\n  and {MEMORY} > 0.5 * {LIMIT}"


def _native_leak_suspected(t: AlertThresholds) -> AlertRule:
    slope = steady(t, MALLOC_USED, 24)
    blocks = f"deriv(python_heap_allocated_blocks[{short_duration(t.window_seconds * 24)}])"
    return AlertRule(
        name="PythonHeapNativeLeakSuspected",
        severity="warning",
        expr=_unless_vetoed(
            t,
            all_of(
                f"({slope} * 3600\n  > {_at_least(t, MEMORY, t.min_slow_slope_bytes_per_hour)})",
                f"{slope} > {LARGE_BLOCK_BYTES} * clamp_min({blocks}, 0)",
            ),
        ),
        hold_seconds=t.hold_seconds * 2,
        keep_firing_seconds=t.window_seconds * 4,
        summary="C code in a Python process is probably leaking memory.",
        description=f"The malloc memory {OF_PROCESS} is growing by {{{{ $value | humanize1024 }}}}B/h, "
        "and Python objects do not account for the growth.",
    )


def _type_growing(t: AlertThresholds) -> AlertRule:
    return AlertRule(
        name="PythonHeapTypeGrowing",
        severity="info",
        expr=_unless_vetoed(
            t,
            f"({steady(t, TYPE_OBJECTS, 1)} or {steady(t, TYPE_OBJECTS, 4)}) * 3600\n"
            f"  > {_at_least(t, TYPE_OBJECTS, t.min_type_growth_per_hour)}",
            extra_label="type_name",
        ),
        hold_seconds=t.hold_seconds,
        keep_firing_seconds=t.window_seconds,
        summary="The number of objects of one type is growing steadily in a Python process.",
        description=f"The number of objects of type {{{{ $labels.type_name }}}} in {WORKER} "
        "is growing by {{ $value | humanize }} per hour.",
    )


def _fragmentation_high(t: AlertThresholds) -> AlertRule:
    return AlertRule(
        name="PythonHeapFragmentationHigh",
        severity="info",
        expr=all_of(
            f"({MALLOC_RETAINED} / ({MALLOC_USED} + {MALLOC_RETAINED}) > 0.5)",
            f"{MALLOC_RETAINED} > clamp_min(0.25 * {MEMORY}, {promql_number(t.min_retained_bytes)})",
        ),
        hold_seconds=t.hold_seconds * 4,
        summary="Most of the malloc heap of a Python process is free but has not been returned to the kernel.",
        description=f"{{{{ $value | humanizePercentage }}}} of the malloc heap {OF_PROCESS} is free "
        "but has not been returned to the kernel.",
    )


def _uncollectable_objects(t: AlertThresholds) -> AlertRule:
    w = short_duration(t.window_seconds * 4)
    return AlertRule(
        name="PythonHeapUncollectableObjects",
        severity="warning",
        expr=f"sum without (generation) (increase(python_heap_gc_uncollectable_objects_total[{w}])) > 0",
        hold_seconds=t.hold_seconds,
        summary="The garbage collector of a Python process has found objects that it cannot free.",
        description=f"The garbage collector {OF_PROCESS} could not free about {{{{ $value | humanize }}}} objects "
        f"in the last {w}; they remain in memory until the process exits.",
    )


def _sampler_stalled(t: AlertThresholds) -> AlertRule:
    return AlertRule(
        name="PythonHeapSamplerStalled",
        severity="warning",
        expr=f"time() - heap_exporter_last_sample_timestamp_seconds > {promql_number(t.interval_seconds * 12)}",
        hold_seconds=t.hold_seconds / 3,
        summary="The heap exporter of a Python process has stopped taking samples.",
        description=f"The heap exporter {OF_PROCESS} took its last sample "
        "{{ $value | humanizeDuration }} ago; its memory metrics and alerts are out of date.",
    )


def promql_number(value: float) -> str:
    """Return a number in PromQL without an exponent: 4194304 and not 4.1943e+06."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
