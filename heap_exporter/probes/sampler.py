"""Reads the probes one by one: one that fails costs its own values and nothing else."""

from __future__ import annotations

import dataclasses
import time

from heap_exporter.model import MemoryLimits, Sample, SlowReadings
from heap_exporter.probes import allocators, cgroup, garbage_collector, headroom, mappings, process
from heap_exporter.probes.mappings import Mappings
from heap_exporter.probes.pymalloc import PymallocReader
from heap_exporter.runtime.error_boundary import ErrorBoundary

PROBES = ("process", "blocks", "collector", "malloc", "pymalloc", "shares", "limits", "mappings", "census")
"""The names under which ``heap_exporter_sample_errors_total`` counts the probes."""


class Sampler:
    """Reads the probes of the process.

    ``boundary`` counts and logs the probes that fail; a method returns ``None`` for these.
    """

    def __init__(self, boundary: ErrorBoundary | None = None) -> None:
        self._run = (boundary or ErrorBoundary(PROBES)).run
        self._pymalloc = PymallocReader()

    def sample(self, process_started_at: float | None) -> Sample:
        """Read the cheap probes of the process: tens of microseconds."""
        taken_at, began = time.time(), time.perf_counter()
        memory = self._run("process", process.read_memory)
        counters = self._run("collector", garbage_collector.read_collector)
        blocks = self._run("blocks", allocators.read_allocated_blocks)
        return Sample(
            taken_at=taken_at,
            uptime_seconds=None if process_started_at is None else taken_at - process_started_at,
            duration_seconds=time.perf_counter() - began,
            process=memory,
            collector=counters,
            allocated_blocks=blocks,
            interned_strings=self._run("blocks", allocators.read_interned_strings),
        )

    def detail(self) -> SlowReadings:
        """Read the expensive probes: tenths of a millisecond in a small process, more in a large one."""
        return SlowReadings(
            malloc=self._run("malloc", allocators.read_malloc),
            pymalloc=self._run("pymalloc", self._pymalloc.read),
            shares=self._run("shares", process.read_shares),
            limits=self.limits(),
        )

    def refresh_limits(self, detail: SlowReadings) -> SlowReadings:
        """Read the memory limit from the cgroup again, if there is one: the process may have come closer to it."""
        if detail.limits is None or not detail.limits.limit_bytes:
            return detail
        return dataclasses.replace(detail, limits=self.limits())

    def limits(self) -> MemoryLimits | None:
        """Read the memory limit of the process, and what is left of it, from its cgroup."""
        return self._run("limits", cgroup.read_limits)

    def headroom_bytes(self) -> int | None:
        """Read the memory that is left, below the limit and on the machine, in bytes; ``None`` where it is unknown."""
        return self._run("limits", headroom.read_headroom)

    def mappings(self) -> Mappings | None:
        """Read the memory mappings of the process by kind: milliseconds."""
        return self._run("mappings", mappings.read_mappings)

    def start_time(self) -> float | None:
        """Read from the kernel when the process started, in Unix seconds."""
        return self._run("process", process.read_start_time)

    def physical_bytes(self) -> int | None:
        """Read the physical memory of the machine from the kernel, in bytes."""
        return self._run("limits", process.read_physical_bytes)
