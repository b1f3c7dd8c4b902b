"""The recording rules: series that several alerts use, computed once per evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from heap_exporter.alerting.growth import steady_over_24_windows, steady_over_four_windows, steady_over_one_window
from heap_exporter.alerting.thresholds import AlertThresholds
from heap_exporter.metrics import OTHER_TYPES
from heap_exporter.runtime.quantities import short_duration

MEMORY = "worker:python_heap_unreclaimable_bytes:sum"
"""Anonymous and shared memory, in RAM or swapped out: the memory that the detector judges.

Under memory pressure a leak moves to swap, and RSS stays flat.
"""

SUSPECTED = "worker:python_heap_leak_suspected:max"

MALLOC_USED = "python_heap_malloc_used_bytes"
TYPE_OBJECTS = "python_heap_type_objects"
NAMED_TYPE_OBJECTS = f'{TYPE_OBJECTS}{{type_name!="{OTHER_TYPES}"}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRule:
    """One recording rule; ``why`` is a comment above it in the rule file, for it and the rules after it."""

    name: str
    expr: str
    why: str = ""


def recording_rules(t: AlertThresholds) -> tuple[RecordingRule, ...]:
    """Return the recording rules for Prometheus, in the order in which they must be evaluated."""
    w = t.window_seconds
    return (
        RecordingRule(
            name=MEMORY,
            why="Memory that a leak increases: anonymous and shared memory, in RAM or swapped out. What a system does "
            "not report counts as 0; the last expression is for systems that report only RSS.",
            expr="python_heap_resident_anonymous_bytes\n"
            "+ (python_heap_resident_shmem_bytes or 0 * python_heap_resident_anonymous_bytes)\n"
            "+ (python_heap_swap_bytes or 0 * python_heap_resident_anonymous_bytes)\n"
            "or python_heap_resident_bytes",
        ),
        RecordingRule(
            name=steady(t, MEMORY, 1),
            why="Growth rate of this memory in bytes per second, over three ranges; absent unless growth is steady.",
            expr=steady_over_one_window(MEMORY, w),
        ),
        RecordingRule(name=steady(t, MEMORY, 4), expr=steady_over_four_windows(MEMORY, w)),
        RecordingRule(name=steady(t, MEMORY, 24), expr=steady_over_24_windows(MEMORY, w)),
        RecordingRule(
            name=steady(t, MALLOC_USED, 24),
            why="Growth rate of the memory that C extensions and large Python objects have allocated from malloc, in "
            "bytes per second; absent unless growth is steady.",
            expr=steady_over_24_windows(MALLOC_USED, w),
        ),
        RecordingRule(
            name=steady(t, TYPE_OBJECTS, 1),
            why="Objects of each type gained per second; absent unless growth is steady.",
            expr=steady_over_one_window(NAMED_TYPE_OBJECTS, w, extra_label="type_name"),
        ),
        RecordingRule(
            name=steady(t, TYPE_OBJECTS, 4),
            expr=steady_over_four_windows(NAMED_TYPE_OBJECTS, w, extra_label="type_name"),
        ),
        RecordingRule(
            name=SUSPECTED,
            why="Verdict of the leak detector in the process: 1 while it suspects a leak, otherwise 0; absent while "
            "the detector is warming up, and if its metrics are not scraped.",
            expr="max without (cause) (python_heap_leak_suspected)\n"
            'unless ignoring (state) python_heap_leak_state{state="warming-up"} == 1',
        ),
    )


def steady(t: AlertThresholds, series: str, windows: int) -> str:
    """Return the name of the Prometheus recording rule for the steady growth of a series over some windows."""
    metric = series.removeprefix("worker:").removesuffix(":sum")
    level = "worker_type_name" if series == TYPE_OBJECTS else "worker"
    return f"{level}:{metric}:steady_deriv{short_duration(t.window_seconds * windows)}"
