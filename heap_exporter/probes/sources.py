"""Reads the probes one by one, so that one that fails costs its own figures and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from heap_exporter.errors import SourceMissing, WalkGivenUp
from heap_exporter.model import Detail, Sample
from heap_exporter.probes import allocator, collector, limits, process
from heap_exporter.probes.pymalloc import PymallocReader
from heap_exporter.runtime.logs import log

Figures = TypeVar("Figures")

SOURCES = (
    "process",
    "blocks",
    "collector",
    "malloc",
    "pymalloc",
    "shares",
    "limits",
    "mappings",
    "census",
    "record",
    "judge",
)


class Sources:
    """The probes, with a count of failures by source; a source is logged when it first fails, not again."""

    def __init__(self) -> None:
        self.errors = dict.fromkeys(SOURCES, 0)
        self._pymalloc = PymallocReader()

    def read(self, source: str, probe: Callable[[], Figures]) -> Figures | None:
        """Return what ``probe`` returns, or ``None`` when it fails."""
        try:
            return probe()
        except WalkGivenUp:
            return None
        except Exception as error:  # the process that hosts us must not see it, whatever it is
            if not self.errors[source]:
                known = isinstance(error, SourceMissing)
                log.log(
                    logging.INFO if known else logging.WARNING,
                    "no figures from %s: %s", source, error, exc_info=None if known else error,
                )  # fmt: skip  # format and arguments together
            self.errors[source] += 1
            return None

    def sample(self, process_started_at: float | None) -> Sample:
        """Return one cheap reading: tens of microseconds."""
        taken_at, began = time.time(), time.perf_counter()
        memory = self.read("process", process.read_memory)
        counters = self.read("collector", collector.read_collector)
        blocks = self.read("blocks", allocator.read_allocated_blocks)
        return Sample(
            taken_at=taken_at,
            uptime_seconds=None if process_started_at is None else taken_at - process_started_at,
            duration_seconds=time.perf_counter() - began,
            process=memory,
            collector=counters,
            allocated_blocks=blocks,
        )

    def detail(self) -> Detail:
        """Return one reading of the slower sources: tenths of a millisecond in a small process, more in a large one."""
        return Detail(
            malloc=self.read("malloc", allocator.read_malloc),
            pymalloc=self.read("pymalloc", self._pymalloc.read),
            shares=self.read("shares", process.read_shares),
            limits=self.read("limits", limits.read_limits),
        )
