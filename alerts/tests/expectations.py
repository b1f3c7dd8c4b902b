"""When each alert must fire on each shape: the minute in which it first does; an alert that isn't named never may.

The numbers are those of the rules alone, where nobody hears the process's own detector. What the detector changes
follows from the part that a shape is in: nothing is lost of a leak or of other trouble, nothing is added to what is
healthy, and what it knows to be healthy is silent. ``make alerts-table`` prints what promtool finds with it.
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
COMPARED = 22
"""A suspicion after the first window, and the comparison of two snapshots a third of a window and some time later."""

LIMITLESS = Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS)
LIMITED = Finding(FindingKind.CLEARS_BOUNDED_CACHE)
EACH_TIME = (COMPARED, 50, 95, 185, 365)
"""What was cleared is looked at again each time that it has doubled."""

FLAT_BLOCKS, FLAT_MEMORY = flat(1e6), flat(400)


@dataclass(frozen=True, slots=True)
class Shape:
    """A sentence, the process that has the shape, and the first minute in which each alert fires by the rules alone.

    ``neighbour`` is a second process, on which nothing may fire.
    """

    sentence: str
    process: Process
    fires: Mapping[str, int] = field(default_factory=dict)
    minutes: int = 8 * HOUR
    neighbour: Process | None = None


def memory(*curves: Curve, base: float = 150, **more: Any) -> Process:
    """Return a process whose memory is ``base`` MiB and the curves on top of it; ``more`` are fields of it."""
    return Process(memory=total(flat(base), *curves), **more)


def malloc(used: Curve, retained: Curve, blocks: Curve = FLAT_BLOCKS, base: Curve = FLAT_MEMORY) -> Process:
    """Return a process with curves for the C library's allocator, in MiB, and for the interpreter's blocks."""
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
    """Return a process that counts the objects of one type."""
    return Process(memory=memory, more={f'python_heap_type_objects{{type_name="{type_name}"}}': count})


def uncollectable(count: Curve) -> Process:
    """Return a process whose garbage collector finds objects it cannot free."""
    return Process(more={'python_heap_gc_uncollectable_objects_total{generation="2"}': count})


PROVEN = Shape(
    "a leak of 60 MiB/h that the comparison of two snapshots confirms",
    memory(ramp(60), findings={COMPARED: LIMITLESS}),
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
    Shape("a fast leak of 10 MiB a minute", memory(ramp(600)), {GROWTH: 41, EXHAUSTION: 52}, 90),
    Shape("a leak of 60 MiB/h with no memory limit", memory(ramp(60), limit=None), {GROWTH: 41, LEAK: 421}, 12 * HOUR),
    Shape("a leak in stairs of 5 MiB every 10 minutes", memory(stairs(5, 10)), {GROWTH: 76, LEAK: 421}),
    Shape("a leak of 60 MiB/h under the collector's sawtooth", memory(ramp(60), sawtooth(20, 10)),
          {GROWTH: 76, LEAK: 421}),
    Shape("a leak of 60 MiB/h after a warm-up", memory(ramp(60), plateau(200, 4)),
          {GROWTH: 55, LEAK: 421, EXHAUSTION: 449}),
    Shape("a leak of 60 MiB/h with every fifth scrape missing", memory(missing(ramp(60), 0.2)),
          {GROWTH: 41, LEAK: 421}),
    Shape("a leak of 120 MiB/h, killed for it every 8 h", memory(restarted(ramp(120), 480), lifetime=480),
          {GROWTH: 41, LEAK: 421, EXHAUSTION: 213}, 18 * HOUR),
    Shape("a leak of 30 MiB/h that follows the load of the day", memory(by_day(30)),
          {GROWTH: 41, LEAK: 421}, 24 * HOUR),
    Shape("a leak of 20 MiB/h under a daily wave of 50 MiB", memory(ramp(20), wave(50)),
          {GROWTH: 41, LEAK: 421}, 24 * HOUR),
    Shape("a leak of 60 MiB/h that goes to swap", Process(swap=ramp(60)), {GROWTH: 41, LEAK: 421}),
    Shape("one of two processes leaks 60 MiB/h", memory(ramp(60)), {GROWTH: 41, LEAK: 421}, neighbour=memory(noise(1))),
    Shape("a native leak of 30 MiB/h", malloc(total(flat(50), ramp(30)), flat(20), base=total(flat(150), ramp(30))),
          {GROWTH: 41, LEAK: 421, NATIVE: 421}),
    PROVEN,
    Shape("objects of a type grow by 3600 and 60 MiB an hour",
          objects(total(flat(5000), ramp(3600)), total(flat(150), ramp(60))), {GROWTH: 41, LEAK: 421, TYPE: 41}),
    Shape("objects of a type grow by 3600 and 60 MiB an hour in noise",
          objects(total(flat(5000), ramp(3600), noise(200)), total(flat(150), ramp(60), noise(1))),
          {GROWTH: 41, LEAK: 421, TYPE: 75}),
)  # fmt: skip  # a table is read in rows

TROUBLE = (
    Shape("three quarters of the C library's heap are free", malloc(flat(100), step(300, at=60)), {FRAGMENTATION: 120}),
    Shape("a C extension makes garbage that cannot be collected", uncollectable(ramp(60, since=120)),
          {UNCOLLECTABLE: 136}),
    Shape("the sampler stops at minute 60 and the process goes on", Process(sampled=lambda t: min(t, 60) * 60.0),
          {STALLED: 69}),
)  # fmt: skip  # a table is read in rows

AMBIGUOUS = (
    Shape("a cache fills over 3 h and is full", memory(ramp(100, until=180)), {GROWTH: 41}, 12 * HOUR),
    Shape("a cache levels off with a time constant of 2 h", memory(plateau(300, 120)), {GROWTH: 41}, 12 * HOUR),
    Shape("a cache levels off with a time constant of 6 h", memory(plateau(300, 360)), {GROWTH: 41}, 24 * HOUR),
    Shape("a cache fills up to the memory limit", memory(plateau(900, 120)), {GROWTH: 41, EXHAUSTION: 77}, 12 * HOUR),
    Shape("a random walk around a mean, by 5 MiB", memory(wander(1, 0.02)), {GROWTH: 171}, 24 * HOUR),
    Shape("a sawtooth of 3 h", memory(sawtooth(100, 180)), {GROWTH: 41}, 12 * HOUR),
    Shape("the first day of a service with a daily wave", memory(wave(100)), {GROWTH: 94, LEAK: 421}, 24 * HOUR),
    Shape("the second day of a service with a daily wave", memory(ago(wave(100), DAY // 2), born=-2 * DAY),
          {GROWTH: 814}, 36 * HOUR),
)  # fmt: skip  # a table is read in rows
"""Healthy, but told from a leak only by waiting: the price of an alert after minutes."""

KNOWN_BETTER = (
    Shape("a cache fills for 10 h in a straight line; the comparison of two snapshots finds its limit",
          memory(ramp(60, until=600), findings=dict.fromkeys(EACH_TIME, LIMITED)), {GROWTH: 41, LEAK: 421}, 12 * HOUR),
    Shape("objects of a type grow by 3600 an hour and memory doesn't", objects(total(flat(5000), ramp(3600))),
          {TYPE: 41}),
)  # fmt: skip  # a table is read in rows
"""Healthy: the rules alone can't tell, the process's own detector can."""

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
          memory(restarted(total(plateau(200, 4), ramp(60)), 20), lifetime=20)),
    Shape("a restart every 2 h, each with a warm-up", memory(restarted(plateau(200, 10), 120), lifetime=120)),
    Shape("an hourly job takes 200 MiB for 5 minutes", memory(spike(200, HOUR, 5))),
    Shape("every third scrape of a flat process is missing", memory(missing(noise(1), 0.3))),
    Shape("a growing process goes away after 20 minutes", memory(until(ramp(60), 20))),
    Shape("idle memory is swapped out", Process(memory=ramp(-20), swap=ramp(20))),
    Shape("mapped files grow", Process(more={"python_heap_resident_file_bytes": lambda t: t * MIB})),
    Shape("Python objects grow in the C library's heap",
          malloc(total(flat(50), ramp(30)), flat(20), total(flat(1e6), ramp(30 * 512)))),
    Shape("free memory in the C library's heap is given back after half an hour",
          malloc(flat(100), total(step(300, at=60), step(-300, at=90)))),
    Shape("objects of all small types together grow", objects(ramp(3600), type_name="other")),
    Shape("objects of a type grow with a warm-up", objects(plateau(50_000, 5))),
    Shape("objects of a type come and go", objects(total(flat(5000), sawtooth(3000, 10)))),
    Shape("uncollectable garbage from before stays and does not grow", uncollectable(flat(40))),
    Shape("samples come late by a minute", Process(sampled=lambda t: (t - 1) * 60.0)),
)  # fmt: skip  # a table is read in rows

SHAPES = (*LEAKS, *TROUBLE, *AMBIGUOUS, *KNOWN_BETTER, *HEALTHY)
