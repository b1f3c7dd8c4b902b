"""The shapes of memory, and the minute in which each alert first fires on each; an alert that is not named never fires.

The numbers are those of the rules alone, without the verdicts of the detector. The effect of the detector depends on
the group of a shape: leaks and other problems raise the same alerts, healthy shapes raise no more alerts, and those
that it clears raise none. ``make alerts-table`` prints the results of promtool with the detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts.tests.shapes import (
    DAY,
    HOUR,
    MEMORY,
    MIB,
    Curve,
    Process,
    ago,
    by_day,
    flat,
    missing,
    noise,
    plateau,
    ramp,
    restarted,
    sawtooth,
    spike,
    stairs,
    step,
    total,
    until,
    wander,
    wave,
)
from heap_exporter.model import Cause, Finding, FindingKind

CONFIRMED = "PythonHeapLeakConfirmed"
GROWTH, LEAK, EXHAUSTION = "PythonHeapGrowthSustained", "PythonHeapLeakSuspected", "PythonHeapExhaustionPredicted"
NATIVE, TYPE = "PythonHeapNativeLeakSuspected", "PythonHeapTypeGrowing"
FRAGMENTATION, UNCOLLECTABLE = "PythonHeapFragmentationHigh", "PythonHeapUncollectableObjects"
STALLED = "PythonHeapSamplerStalled"
ALERTS = (GROWTH, LEAK, CONFIRMED, EXHAUSTION, NATIVE, TYPE, FRAGMENTATION, UNCOLLECTABLE, STALLED)

GROWING_TYPE = "shop.Session"
COMPARED_AT = 22
"""A suspicion after the first window, and the comparison of two snapshots a third of a window and some time later."""

UNBOUNDED = Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS)
BOUNDED = Finding(FindingKind.CLEARS_BOUNDED_CACHE)
CLEARED_AT = (COMPARED_AT, 50, 95, 185, 365)
"""A suspicion that was cleared is investigated again each time that the growth has doubled."""

FLAT_BLOCKS, FLAT_MEMORY = flat(1e6), flat(400)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A shape as a sentence, its process, and the first minute in which each alert fires by the rules alone.

    ``second`` is a second process, on which no alert may fire.
    """

    sentence: str
    process: Process
    fires: Mapping[str, int] = field(default_factory=dict)
    minutes: int = 8 * HOUR
    second: Process | None = None


def memory(*curves: Curve, base: float = 150, **more: Any) -> Process:
    """Return a process whose memory is ``base`` MiB and the curves on top of it; ``more`` are fields of it."""
    return Process(memory=total(flat(base), *curves), **more)


def malloc(used: Curve, retained: Curve, blocks: Curve = FLAT_BLOCKS, base: Curve = FLAT_MEMORY) -> Process:
    """Return a process with curves for malloc, in MiB, and for the blocks of the interpreter."""
    return Process(
        memory=base,
        limit=None,
        more={
            "python_heap_malloc_used_bytes": lambda t: used(t) * MIB,
            "python_heap_malloc_retained_bytes": lambda t: retained(t) * MIB,
            "python_heap_allocated_blocks": blocks,
        },
    )


def objects(count: Curve, memory: Curve = MEMORY, type_name: str = GROWING_TYPE) -> Process:
    """Return a process with a curve for the objects of one type."""
    return Process(memory=memory, more={f'python_heap_type_objects{{type_name="{type_name}"}}': count})


def uncollectable(count: Curve) -> Process:
    """Return a process with a curve for the objects that the garbage collector cannot free."""
    return Process(more={'python_heap_gc_uncollectable_objects_total{generation="2"}': count})


CONFIRMED_BY_SNAPSHOTS = Shape(
    "a leak of 60 MiB/h that the comparison of two snapshots confirms",
    memory(ramp(60), findings={COMPARED_AT: UNBOUNDED}),
    {GROWTH: 41, LEAK: 421},
)

LEAKS = (
    Shape("a new process leaks 60 MiB/h", memory(ramp(60)), {GROWTH: 41, LEAK: 421, EXHAUSTION: 650}, 11 * HOUR),
    Shape("an old process begins to leak 60 MiB/h at minute 300", memory(ramp(60, since=300)),
          {GROWTH: 330, LEAK: 514}, 9 * HOUR),
    Shape("a leak of 60 MiB/h in noise of 1 MiB", memory(ramp(60), noise(1)), {GROWTH: 41, LEAK: 421}),
    Shape("a leak of 60 MiB/h in noise of 5 MiB", memory(ramp(60), noise(5)), {GROWTH: 76, LEAK: 421}),
    Shape("a leak of 60 MiB/h in a process of 3 GiB", memory(ramp(60), base=3072, limit=None),
          {GROWTH: 41, LEAK: 421}),
    Shape("a slow leak of 10 MiB/h", memory(ramp(10)), {GROWTH: 41, LEAK: 421}),
    Shape("a very slow leak of 2 MiB/h", memory(ramp(2)), {LEAK: 421}),
    Shape("a fast leak of 600 MiB/h", memory(ramp(600)), {GROWTH: 41, EXHAUSTION: 52}, 90),
    Shape("a leak of 60 MiB/h with no memory limit", memory(ramp(60), limit=None), {GROWTH: 41, LEAK: 421}, 12 * HOUR),
    Shape("a leak in stairs of 5 MiB every 10 minutes", memory(stairs(5, 10)), {GROWTH: 76, LEAK: 421}),
    Shape("a leak of 60 MiB/h under the sawtooth of the garbage collector", memory(ramp(60), sawtooth(20, 10)),
          {GROWTH: 76, LEAK: 421}),
    Shape("a leak of 60 MiB/h after a warm-up", memory(ramp(60), plateau(200, 4)),
          {GROWTH: 55, LEAK: 421, EXHAUSTION: 449}),
    Shape("a leak of 60 MiB/h with every fifth scrape missing", memory(missing(ramp(60), 0.2)),
          {GROWTH: 41, LEAK: 421}),
    Shape("a leak of 120 MiB/h in a process that is killed every 8 h",
          memory(restarted(ramp(120), 480), restart_minutes=480), {GROWTH: 41, LEAK: 421, EXHAUSTION: 213}, 18 * HOUR),
    Shape("a leak of 30 MiB/h that follows the load of the day", memory(by_day(30)),
          {GROWTH: 41, LEAK: 421}, 24 * HOUR),
    Shape("a leak of 20 MiB/h under a daily wave of 50 MiB", memory(ramp(20), wave(50)),
          {GROWTH: 41, LEAK: 421}, 24 * HOUR),
    Shape("a leak of 60 MiB/h that is swapped out", Process(swap=ramp(60)), {GROWTH: 41, LEAK: 421}),
    Shape("a leak of 60 MiB/h of shared memory", Process(shared=ramp(60)), {GROWTH: 41, LEAK: 421}),
    Shape("one of two processes leaks 60 MiB/h", memory(ramp(60)), {GROWTH: 41, LEAK: 421}, second=memory(noise(1))),
    Shape("a native leak of 30 MiB/h", malloc(total(flat(50), ramp(30)), flat(20), base=total(flat(150), ramp(30))),
          {GROWTH: 41, LEAK: 421, NATIVE: 421}),
    CONFIRMED_BY_SNAPSHOTS,
    Shape("a type grows by 3600 objects/h and 60 MiB/h",
          objects(total(flat(5000), ramp(3600)), total(flat(150), ramp(60))), {GROWTH: 41, LEAK: 421, TYPE: 41}),
    Shape("a type grows by 3600 objects/h and 60 MiB/h in noise",
          objects(total(flat(5000), ramp(3600), noise(200)), total(flat(150), ramp(60), noise(1))),
          {GROWTH: 41, LEAK: 421, TYPE: 75}),
)  # fmt: skip  # one row per shape

PROBLEMS = (
    Shape("three quarters of the malloc heap are free", malloc(flat(100), step(300, at=60)), {FRAGMENTATION: 120}),
    Shape("a C extension makes garbage that cannot be collected", uncollectable(ramp(60, since=120)),
          {UNCOLLECTABLE: 136}),
    Shape("the sampler stops at minute 60 and the process continues", Process(sampled=lambda t: min(t, 60) * 60.0),
          {STALLED: 69}),
)  # fmt: skip  # one row per shape

AMBIGUOUS = (
    Shape("a cache fills over 3 h and is full", memory(ramp(100, until=180)), {GROWTH: 41}, 12 * HOUR),
    Shape("a cache levels off with a time constant of 2 h", memory(plateau(300, 120)), {GROWTH: 41}, 12 * HOUR),
    Shape("a cache levels off with a time constant of 6 h", memory(plateau(300, 360)), {GROWTH: 41}, 24 * HOUR),
    Shape("a cache fills up to the memory limit", memory(plateau(900, 120)), {GROWTH: 41, EXHAUSTION: 77}, 12 * HOUR),
    Shape("a random walk around a mean, by 5 MiB", memory(wander(1, 0.02)), {GROWTH: 171}, 24 * HOUR),
    Shape("a sawtooth of 3 h", memory(sawtooth(100, 180)), {GROWTH: 41}, 12 * HOUR),
    Shape("the first day of a service with a daily wave", memory(wave(100)), {GROWTH: 173, LEAK: 421}, 24 * HOUR),
    Shape("the second day of a service with a daily wave", memory(ago(wave(100), DAY // 2), started_minute=-2 * DAY),
          {GROWTH: 893}, 36 * HOUR),
)  # fmt: skip  # one row per shape
"""Healthy, but only time shows that it is no leak: the price of alerts that fire within minutes."""

CLEARED = (
    Shape("a cache fills for 10 h in a straight line; the comparison of two snapshots finds its limit",
          memory(ramp(60, until=600), findings=dict.fromkeys(CLEARED_AT, BOUNDED)), {GROWTH: 41, LEAK: 421}, 12 * HOUR),
    Shape("a type grows by 3600 objects/h and memory does not grow", objects(total(flat(5000), ramp(3600))),
          {TYPE: 41}),
)  # fmt: skip  # one row per shape
"""Healthy: the rules alone raise alerts, the detector clears them."""

HEALTHY = (
    Shape("memory is flat", memory()),
    Shape("memory is noisy by 2 MiB", memory(noise(2)), {}, 12 * HOUR),
    Shape("memory is noisy by 10 MiB", memory(noise(10)), {}, 12 * HOUR),
    Shape("a random walk around a mean, by 1 MiB", memory(wander(0.2, 0.02)), {}, 24 * HOUR),
    Shape("a sawtooth of 10 minutes", memory(sawtooth(50, 10)), {}, 12 * HOUR),
    Shape("a sawtooth of 30 minutes", memory(sawtooth(50, 30)), {}, 12 * HOUR),
    Shape("a step of 200 MiB", memory(step(200, at=120))),
    Shape("a process warms up", memory(plateau(200, 4))),
    Shape("a fast cache levels off with a time constant of 10 minutes", memory(plateau(300, 10))),
    Shape("a cache levels off with a time constant of 30 minutes", memory(plateau(300, 30)), {}, 12 * HOUR),
    Shape("a cache fills in 20 minutes and is full", memory(ramp(300, until=20))),
    Shape("a restart loop of 20 minutes in a process that warms up",
          memory(restarted(total(plateau(200, 4), ramp(60)), 20), restart_minutes=20)),
    Shape("a restart every 2 h, each with a warm-up", memory(restarted(plateau(200, 10), 120), restart_minutes=120)),
    Shape("an hourly job takes 200 MiB for 5 minutes", memory(spike(200, HOUR, 5))),
    Shape("every third scrape of a flat process is missing", memory(missing(noise(1), 0.3))),
    Shape("a growing process ends after 20 minutes", memory(until(ramp(60), 20))),
    Shape("idle memory is swapped out", Process(memory=ramp(-20), swap=ramp(20))),
    Shape("mapped files grow", Process(more={"python_heap_resident_file_bytes": lambda t: t * MIB})),
    Shape("Python objects grow in the malloc heap",
          malloc(total(flat(50), ramp(30)), flat(20), total(flat(1e6), ramp(30 * 512)))),
    Shape("free memory in the malloc heap is returned after half an hour",
          malloc(flat(100), total(step(300, at=60), step(-300, at=90)))),
    Shape("the small types together grow", objects(ramp(3600), type_name="other")),
    Shape("the objects of a type grow in a warm-up", objects(plateau(50_000, 5))),
    Shape("the objects of a type come and go", objects(total(flat(5000), sawtooth(3000, 10)))),
    Shape("old uncollectable garbage stays and does not grow", uncollectable(flat(40))),
    Shape("samples are a minute late", Process(sampled=lambda t: (t - 1) * 60.0)),
)  # fmt: skip  # one row per shape

SHAPES = (*LEAKS, *PROBLEMS, *AMBIGUOUS, *CLEARED, *HEALTHY)
