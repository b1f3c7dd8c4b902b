"""The recording rules and alerts, made from :class:`~heap_exporter.alerting.thresholds.Thresholds`."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass

from heap_exporter.alerting.growth import (
    PROCESS_START,
    all_of,
    steady_over_24_windows,
    steady_over_four_windows,
    steady_over_one_window,
)
from heap_exporter.alerting.quantities import promql_duration
from heap_exporter.alerting.thresholds import DAY_SECONDS, Thresholds
from heap_exporter.catalogue import OTHER_TYPES

GROUP = "heap-exporter"
RUNBOOK = "https://github.com/heap-exporter/heap-exporter/blob/main/alerts/runbook.md"

MEMORY = "instance:python_heap_anonymous_bytes:sum"
"""Anonymous memory, in RAM or swapped out: under pressure a leak moves to swap and RSS stays flat."""

MALLOC_USED = "python_heap_malloc_used_bytes"
TYPE_OBJECTS = "python_heap_type_objects"
NAMED_TYPE_OBJECTS = f'{TYPE_OBJECTS}{{type_name!="{OTHER_TYPES}"}}'
MALLOC_RETAINED = "python_heap_malloc_retained_bytes"
LIMIT = "python_heap_limit_bytes"
OF_PROCESS = "of {{ $labels.instance }} ({{ $labels.job }})"

LARGE_BLOCK_BYTES = 16_384
"""Growth of malloc with fewer interpreter blocks than one per this size is not explained by Python objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recording rule; ``why`` is a comment above it and those after it."""

    name: str
    expr: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert; ``hold_seconds`` is its ``for``."""

    name: str
    severity: str
    expr: str
    hold_seconds: float
    keep_firing_seconds: float = 0
    summary: str
    description: str


def render_rules(thresholds: Thresholds | None = None, command: str = "heap-exporter rules") -> str:
    """Return the rule file as YAML text; ``command`` is what the header says it was made by."""
    t = thresholds or Thresholds()
    head = (
        f"# Made by `{command}`; to change a number, run that with other options (see --help).\n"
        f"# What each alert means and what to do about it: {RUNBOOK}\n"
        "groups:\n"
        f"  - name: {GROUP}\n"
        f"    interval: {promql_duration(t.window_seconds / 15)}\n"
        "    rules:\n"
    )
    rules = [_render_recording(rule) for rule in recordings(t)] + [_render_alert(alert) for alert in alerts(t)]
    return head + "\n".join(rules)


def recordings(t: Thresholds) -> tuple[Recording, ...]:
    """Return the recording rules, in the order they must be evaluated in."""
    w = t.window_seconds
    return (
        Recording(
            name=MEMORY,
            why="Memory that can leak: anonymous, in RAM or swapped out. Swap is absent where it cannot be read, "
            "and some systems don't split RSS at all.",
            expr="(python_heap_resident_anonymous_bytes + python_heap_swap_bytes)\n"
            "or python_heap_resident_anonymous_bytes\n"
            "or python_heap_resident_bytes",
        ),
        Recording(
            name=_steady(t, MEMORY, 1),
            why="Its slope in bytes a second while it grows steadily, by three lengths of evidence; else absent.",
            expr=steady_over_one_window(MEMORY, w),
        ),
        Recording(name=_steady(t, MEMORY, 4), expr=steady_over_four_windows(MEMORY, w)),
        Recording(name=_steady(t, MEMORY, 24), expr=steady_over_24_windows(MEMORY, w)),
        Recording(
            name=_steady(t, MALLOC_USED, 24),
            why="The same of what the C library has handed out: to C extensions, and to Python for large objects.",
            expr=steady_over_24_windows(MALLOC_USED, w),
        ),
        Recording(
            name=_steady(t, TYPE_OBJECTS, 1),
            why="The same of the objects of each type, in objects a second.",
            expr=steady_over_one_window(NAMED_TYPE_OBJECTS, w, beside="type_name"),
        ),
        Recording(
            name=_steady(t, TYPE_OBJECTS, 4),
            expr=steady_over_four_windows(NAMED_TYPE_OBJECTS, w, beside="type_name"),
        ),
    )


def alerts(t: Thresholds) -> tuple[Alert, ...]:
    """Return the alerts: growth of all memory first, then its kinds, then the exporter itself."""
    return (
        _growth_sustained(t),
        _leak_suspected(t),
        _exhaustion_predicted(t),
        _native_leak_suspected(t),
        _type_growing(t),
        _fragmentation_high(t),
        _uncollectable_objects(t),
        _sampler_stalled(t),
    )


def _steady(t: Thresholds, series: str, windows: int) -> str:
    """Return the name under which the steady growth of a series over a number of windows is recorded."""
    metric = series.removeprefix("instance:").removesuffix(":sum")
    level = "instance_type_name" if series == TYPE_OBJECTS else "instance"
    return f"{level}:{metric}:steady_deriv{promql_duration(t.window_seconds * windows)}"


def _at_least(t: Thresholds, series: str, least_per_hour: float) -> str:
    """Return the hourly growth worth an alert: an absolute least, or a share of what is there."""
    return f"clamp_min({_number(t.min_growth_percent_per_hour / 100)} * {series}, {_number(least_per_hour)})"


def _growth_sustained(t: Thresholds) -> Alert:
    return Alert(
        name="PythonHeapGrowthSustained",
        severity="info",
        expr=f"({_steady(t, MEMORY, 1)} or {_steady(t, MEMORY, 4)}) * 3600\n"
        f"  > {_at_least(t, MEMORY, t.min_slope_bytes_per_hour)}",
        hold_seconds=t.hold_seconds,
        keep_firing_seconds=t.window_seconds,
        summary="The memory of a Python process has been growing steadily.",
        description=f"Memory {OF_PROCESS} grows by {{{{ $value | humanize1024 }}}}B an hour and does not level off. "
        "It may be a cache that fills.",
    )


def _leak_suspected(t: Thresholds) -> Alert:
    # A day is a day whatever the window: this leg is about the rhythm of users.
    offset = t.window_seconds * 16
    higher_than_yesterday = (
        f"min_over_time({MEMORY}[{promql_duration(t.window_seconds * 4)}])"
        f" > max_over_time({MEMORY}[1d] offset {promql_duration(offset)})"
    )
    return Alert(
        name="PythonHeapLeakSuspected",
        severity="warning",
        expr=all_of(
            f"({_steady(t, MEMORY, 24)} * 3600\n  > {_at_least(t, MEMORY, t.min_slow_slope_bytes_per_hour)})",
            f"((time() - {PROCESS_START}) <= {_number(DAY_SECONDS + offset)}\n  or {higher_than_yesterday})",
        ),
        hold_seconds=t.hold_seconds * 2,
        keep_firing_seconds=t.window_seconds * 4,
        summary="A Python process is likely to leak memory.",
        description=f"Memory {OF_PROCESS} has been growing by {{{{ $value | humanize1024 }}}}B an hour "
        f"for {promql_duration(t.window_seconds * 24)}, straight, to ever new heights.",
    )


def _exhaustion_predicted(t: Thresholds) -> Alert:
    def soon(windows: int, horizon_windows: int) -> str:
        horizon = _number(t.window_seconds * horizon_windows)
        return f"clamp_min({LIMIT} - {MEMORY}, 0) / {_steady(t, MEMORY, windows)} < {horizon}"

    return Alert(
        name="PythonHeapExhaustionPredicted",
        severity="critical",
        # Nothing is extrapolated further than four times its evidence: plateaus that pass for lines are that far off.
        expr=all_of(
            f"(\n  {soon(24, 16)}\n  or {soon(4, 16)}\n  or {soon(1, 4)}\n)",
            f"{MEMORY} > 0.5 * {LIMIT}",
        ),
        hold_seconds=t.hold_seconds,
        summary="A Python process is about to hit its memory limit.",
        description=f"Memory {OF_PROCESS} grows steadily and reaches the limit of its cgroup "
        "in {{ $value | humanizeDuration }}; the kernel will then kill it.",
    )


def _native_leak_suspected(t: Thresholds) -> Alert:
    steady = _steady(t, MALLOC_USED, 24)
    blocks = f"deriv(python_heap_allocated_blocks[{promql_duration(t.window_seconds * 24)}])"
    return Alert(
        name="PythonHeapNativeLeakSuspected",
        severity="warning",
        expr=all_of(
            f"({steady} * 3600\n  > {_at_least(t, MEMORY, t.min_slow_slope_bytes_per_hour)})",
            f"{steady} > {LARGE_BLOCK_BYTES} * clamp_min({blocks}, 0)",
        ),
        hold_seconds=t.hold_seconds * 2,
        keep_firing_seconds=t.window_seconds * 4,
        summary="A C extension of a Python process is likely to leak memory.",
        description=f"Memory taken from the C library {OF_PROCESS} grows by {{{{ $value | humanize1024 }}}}B an hour, "
        "and Python's own objects do not explain it.",
    )


def _type_growing(t: Thresholds) -> Alert:
    return Alert(
        name="PythonHeapTypeGrowing",
        severity="info",
        expr=f"({_steady(t, TYPE_OBJECTS, 1)} or {_steady(t, TYPE_OBJECTS, 4)}) * 3600\n"
        f"  > {_at_least(t, TYPE_OBJECTS, t.min_type_growth_per_hour)}",
        hold_seconds=t.hold_seconds,
        keep_firing_seconds=t.window_seconds,
        summary="Objects of one type pile up in a Python process.",
        description="Objects of type {{ $labels.type_name }} in {{ $labels.instance }} ({{ $labels.job }}) "
        "grow by {{ $value | humanize }} an hour.",
    )


def _fragmentation_high(t: Thresholds) -> Alert:
    return Alert(
        name="PythonHeapFragmentationHigh",
        severity="info",
        expr=all_of(
            f"({MALLOC_RETAINED} / ({MALLOC_USED} + {MALLOC_RETAINED}) > 0.5)",
            f"{MALLOC_RETAINED} > clamp_min(0.25 * {MEMORY}, {_number(t.min_retained_bytes)})",
        ),
        hold_seconds=t.hold_seconds * 4,
        summary="The C library holds much memory that a Python process has freed.",
        description=f"{{{{ $value | humanizePercentage }}}} of the C library's heap {OF_PROCESS} is free "
        "but not given back to the system.",
    )


def _uncollectable_objects(t: Thresholds) -> Alert:
    w = promql_duration(t.window_seconds * 4)
    return Alert(
        name="PythonHeapUncollectableObjects",
        severity="warning",
        expr=f"sum without (generation) (increase(python_heap_gc_uncollectable_objects_total[{w}])) > 0",
        hold_seconds=t.hold_seconds,
        summary="The garbage collector of a Python process finds objects that it cannot free.",
        description=f"The garbage collector {OF_PROCESS} could not free about {{{{ $value | humanize }}}} objects "
        f"in the last {w}; they are lost until the process ends.",
    )


def _sampler_stalled(t: Thresholds) -> Alert:
    return Alert(
        name="PythonHeapSamplerStalled",
        severity="warning",
        expr=f"time() - heap_exporter_last_sample_timestamp_seconds > {_number(t.sample_interval_seconds * 12)}",
        hold_seconds=t.hold_seconds / 3,
        summary="The heap exporter of a Python process has stopped taking samples.",
        description="The last sample of {{ $labels.instance }} ({{ $labels.job }}) was taken "
        "{{ $value | humanizeDuration }} ago; its memory metrics and alerts stand still.",
    )


def _render_recording(rule: Recording) -> str:
    comment = textwrap.indent(textwrap.fill(rule.why, 110) + "\n" if rule.why else "", " " * 6 + "# ")
    return f"{comment}      - record: {rule.name}\n{_render_expr(rule.expr)}"


def _render_alert(alert: Alert) -> str:
    keep = alert.keep_firing_seconds
    lines = [
        f"      - alert: {alert.name}",
        _render_expr(alert.expr).rstrip("\n"),
        f"        for: {promql_duration(alert.hold_seconds)}",
        *([f"        keep_firing_for: {promql_duration(keep)}"] if keep else []),
        "        labels:",
        f"          severity: {alert.severity}",
        "        annotations:",
        f"          summary: {alert.summary}",
        f"          description: {json.dumps(alert.description)}",
        f"          runbook_url: {RUNBOOK}#{alert.name.lower()}",
    ]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """Return a number without an exponent: 4194304 and not 4.1943e+06."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _render_expr(expr: str) -> str:
    return "        expr: |\n" + textwrap.indent(expr, " " * 10) + "\n"
