"""The alerts: what must be true for each, for how long, and what it tells.

Two judges look at growth: PromQL at the shape from outside, and the process's own detector, which sees every sample and
looks into the snapshots. What could be healthy growth needs both, as far as both speak: see :func:`_unless_denied`.
"""

from __future__ import annotations

from dataclasses import dataclass

from heap_exporter.alerting.growth import PROCESS_START, all_of
from heap_exporter.alerting.quantities import promql_duration, promql_number
from heap_exporter.alerting.recording_rules import MALLOC_USED, MEMORY, SUSPECTED, TYPE_OBJECTS, steady
from heap_exporter.alerting.thresholds import DAY_SECONDS, AlertThresholds

MALLOC_RETAINED = "python_heap_malloc_retained_bytes"
SHARED = "python_heap_resident_shmem_bytes"
LIMIT = "python_heap_limit_bytes"
OF_PROCESS = "of {{ $labels.instance }} ({{ $labels.job }})"

LARGE_BLOCK_BYTES = 16_384
"""Growth of malloc with fewer interpreter blocks than one per this size is not explained by Python objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One alert; ``hold_seconds`` is its ``for``."""

    name: str
    severity: str
    expr: str
    hold_seconds: float
    keep_firing_seconds: float = 0
    summary: str
    description: str


def alert_rules(t: AlertThresholds) -> tuple[AlertRule, ...]:
    """Return the alerts: growth of all memory first, then its kinds, then the exporter itself."""
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
    """Return the hourly growth worth an alert: an absolute least, or a share of what is there."""
    return f"clamp_min({promql_number(t.min_growth_percent_per_hour / 100)} * {series}, {promql_number(min_per_hour)})"


def _unless_denied(t: AlertThresholds, condition: str, beside: str = "") -> str:
    """Return ``condition`` for processes whose own detector has not denied it: said "no leak" for a whole window.

    One that has not judged yet, or that nobody hears, denies nothing. ``beside`` names a label of the condition that a
    process doesn't have.
    """
    matching = f"ignoring ({beside}) " if beside else ""
    return f"{condition}\nunless {matching}max_over_time({SUSPECTED}[{promql_duration(t.window_seconds)}]) == 0"


def _growth_sustained(t: AlertThresholds) -> AlertRule:
    return AlertRule(
        name="PythonHeapGrowthSustained",
        severity="info",
        expr=_unless_denied(
            t,
            f"({steady(t, MEMORY, 1)} or {steady(t, MEMORY, 4)}) * 3600\n"
            f"  > {_at_least(t, MEMORY, t.min_slope_bytes_per_hour)}",
        ),
        hold_seconds=t.hold_seconds,
        keep_firing_seconds=t.window_seconds,
        summary="The memory of a Python process has been growing steadily.",
        description=f"Memory {OF_PROCESS} grows by {{{{ $value | humanize1024 }}}}B an hour and does not level off. "
        "It may be a cache that fills.",
    )


def _leak_suspected(t: AlertThresholds) -> AlertRule:
    # A day is a day whatever the window: this leg is about the rhythm of users.
    offset = t.window_seconds * 16
    higher_than_yesterday = (
        f"min_over_time({MEMORY}[{promql_duration(t.window_seconds * 4)}])"
        f" > max_over_time({MEMORY}[1d] offset {promql_duration(offset)})"
    )
    return AlertRule(
        name="PythonHeapLeakSuspected",
        severity="warning",
        expr=_unless_denied(
            t,
            all_of(
                f"({steady(t, MEMORY, 24)} * 3600\n  > {_at_least(t, MEMORY, t.min_slow_slope_bytes_per_hour)})",
                f"((time() - {PROCESS_START}) <= {promql_number(DAY_SECONDS + offset)}\n  or {higher_than_yesterday})",
            ),
        ),
        hold_seconds=t.hold_seconds * 2,
        keep_firing_seconds=t.window_seconds * 4,
        summary="A Python process is likely to leak memory.",
        description=f"Memory {OF_PROCESS} has been growing by {{{{ $value | humanize1024 }}}}B an hour "
        f"for {promql_duration(t.window_seconds * 24)}, straight, to ever new heights.",
    )


def _leak_confirmed(t: AlertThresholds) -> AlertRule:
    # Stairs and the collector's sawtooth need the longer stretch, a process just restarted the shorter one. Shared
    # memory is judged by the process too.
    long, short = (promql_duration(t.window_seconds * windows) for windows in (4, 1))
    slope = f"deriv({MEMORY}[{long}]) > 0 or deriv({MEMORY}[{short}]) > 0 or deriv({SHARED}[{long}]) > 0"
    return AlertRule(
        name="PythonHeapLeakConfirmed",
        # No page: memory is left, and the evidence is on the disk. The page is the one about the limit.
        severity="warning",
        expr=f"(python_heap_leak_confirmed == 1)\n* ignoring (cause) group_left ()\n  (({slope}) * 3600)",
        hold_seconds=t.hold_seconds / 3,
        keep_firing_seconds=t.window_seconds,
        summary="A Python process has confirmed that it leaks memory.",
        description=f"The detector inside {OF_PROCESS.removeprefix('of ')} is sure of a leak of "
        "{{ $value | humanize1024 }}B an hour; its cause: {{ $labels.cause }}. The evidence is there already: "
        "GET /verdict of the process says why and names the snapshots; `heap-exporter report A B` says who holds what.",
    )


def _exhaustion_predicted(t: AlertThresholds) -> AlertRule:
    def soon(windows: int, horizon_windows: int) -> str:
        horizon = promql_number(t.window_seconds * horizon_windows)
        return f"clamp_min({LIMIT} - {MEMORY}, 0) / {steady(t, MEMORY, windows)} < {horizon}"

    return AlertRule(
        name="PythonHeapExhaustionPredicted",
        severity="critical",
        # It asks no detector: the kernel kills for a cache as for a leak. Nothing is extrapolated further than four
        # times its evidence: plateaus that pass for lines are that far off.
        expr=all_of(
            f"(\n  {soon(24, 16)}\n  or {soon(4, 16)}\n  or {soon(1, 4)}\n)",
            f"{MEMORY} > 0.5 * {LIMIT}",
        ),
        hold_seconds=t.hold_seconds,
        summary="A Python process is about to hit its memory limit.",
        description=f"Memory {OF_PROCESS} grows steadily and reaches the limit of its cgroup "
        "in {{ $value | humanizeDuration }}; the kernel will then kill it.",
    )


def _native_leak_suspected(t: AlertThresholds) -> AlertRule:
    slope = steady(t, MALLOC_USED, 24)
    blocks = f"deriv(python_heap_allocated_blocks[{promql_duration(t.window_seconds * 24)}])"
    return AlertRule(
        name="PythonHeapNativeLeakSuspected",
        severity="warning",
        expr=_unless_denied(
            t,
            all_of(
                f"({slope} * 3600\n  > {_at_least(t, MEMORY, t.min_slow_slope_bytes_per_hour)})",
                f"{slope} > {LARGE_BLOCK_BYTES} * clamp_min({blocks}, 0)",
            ),
        ),
        hold_seconds=t.hold_seconds * 2,
        keep_firing_seconds=t.window_seconds * 4,
        summary="A C extension of a Python process is likely to leak memory.",
        description=f"Memory taken from the C library {OF_PROCESS} grows by {{{{ $value | humanize1024 }}}}B an hour, "
        "and Python's own objects do not explain it.",
    )


def _type_growing(t: AlertThresholds) -> AlertRule:
    return AlertRule(
        name="PythonHeapTypeGrowing",
        severity="info",
        expr=_unless_denied(
            t,
            f"({steady(t, TYPE_OBJECTS, 1)} or {steady(t, TYPE_OBJECTS, 4)}) * 3600\n"
            f"  > {_at_least(t, TYPE_OBJECTS, t.min_type_growth_per_hour)}",
            beside="type_name",
        ),
        hold_seconds=t.hold_seconds,
        keep_firing_seconds=t.window_seconds,
        summary="Objects of one type pile up in a Python process.",
        description="Objects of type {{ $labels.type_name }} in {{ $labels.instance }} ({{ $labels.job }}) "
        "grow by {{ $value | humanize }} an hour.",
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
        summary="The C library holds much memory that a Python process has freed.",
        description=f"{{{{ $value | humanizePercentage }}}} of the C library's heap {OF_PROCESS} is free "
        "but not given back to the system.",
    )


def _uncollectable_objects(t: AlertThresholds) -> AlertRule:
    w = promql_duration(t.window_seconds * 4)
    return AlertRule(
        name="PythonHeapUncollectableObjects",
        severity="warning",
        expr=f"sum without (generation) (increase(python_heap_gc_uncollectable_objects_total[{w}])) > 0",
        hold_seconds=t.hold_seconds,
        summary="The garbage collector of a Python process finds objects that it cannot free.",
        description=f"The garbage collector {OF_PROCESS} could not free about {{{{ $value | humanize }}}} objects "
        f"in the last {w}; they are lost until the process ends.",
    )


def _sampler_stalled(t: AlertThresholds) -> AlertRule:
    return AlertRule(
        name="PythonHeapSamplerStalled",
        severity="warning",
        expr=f"time() - heap_exporter_last_sample_timestamp_seconds > {promql_number(t.sample_interval_seconds * 12)}",
        hold_seconds=t.hold_seconds / 3,
        summary="The heap exporter of a Python process has stopped taking samples.",
        description="The last sample of {{ $labels.instance }} ({{ $labels.job }}) was taken "
        "{{ $value | humanizeDuration }} ago; its memory metrics and alerts stand still.",
    )
