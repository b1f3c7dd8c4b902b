"""Installs and removes the hooks that sample allocations, and reads their samples."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from heap_exporter.errors import AllocationsUnavailable
from heap_exporter.model import AllocationHooks, AllocationProfile, AllocationSite, CodeLine
from heap_exporter.runtime import forks
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.logs import log

if TYPE_CHECKING:
    from types import ModuleType

INTERVAL_BYTES = 128 * 1024
"""The default interval: the standard error of 60 MB that leak is 5 %, that of 10 MB is 11 %."""

CPU_PERCENT = 0.5

ERRORS_SHOWN = 2.0
"""How many standard errors ``plus_minus_bytes`` has: the truth lies within in 95 of 100 profiles."""


class AllocationSampler:
    """Samples which Python code allocates memory, on average once in ``interval_bytes``.

    While samples take more than ``cpu_percent`` of one core, the interval grows. The hooks exist once in a process, so
    one sampler can be active at a time. Any thread may call its methods. A forked child goes on with the samples of
    its parent.
    """

    def __init__(self, interval_bytes: int = INTERVAL_BYTES, cpu_percent: float = CPU_PERCENT) -> None:
        self._interval_bytes = interval_bytes
        self._cpu_percent = cpu_percent
        self._module: ModuleType | None = None
        self._started_at = 0.0
        self._lock = threading.RLock()

    def start(self) -> None:
        """Install the hooks, and start to sample; does nothing if this sampler is active.

        Raises :class:`~heap_exporter.errors.AllocationsUnavailable`.
        """
        with self._lock:
            if self._module is not None:
                return
            module = _extension()
            try:
                module.start(self._interval_bytes, self._cpu_percent / 100)
            except (RuntimeError, MemoryError) as error:
                raise AllocationsUnavailable("refused", str(error) or "there is no memory for the samples") from error
            self._module, self._started_at = module, time.time()
            forks.register(self)
            with late_imports():
                from heap_exporter.allocations.source_files import SourceFiles

            self._files = SourceFiles()
            self._lines: dict[tuple[str, str, int], CodeLine] = {}
            self._sites: dict[int, tuple[tuple[Any, ...], AllocationSite]] = {}

    def stop(self) -> None:
        """Remove the hooks, and forget all samples; does nothing if this sampler is not active."""
        with self._lock:
            if self._module is not None:
                self._module.stop()
                self._module = None
                forks.unregister(self)
                self._lines, self._sites = {}, {}

    @property
    def hooks(self) -> AllocationHooks:
        """Return which hooks of this sampler are installed."""
        with self._lock:
            return AllocationHooks.OFF if self._module is None else AllocationHooks(self._module.state())

    def profile(self) -> AllocationProfile | None:
        """Return the stacks that allocated since the start, ``None`` while the sampler is not active."""
        with self._lock:
            module = self._module
            if module is None:
                return None
            rows, counters = module.stacks(), module.counters()
            return AllocationProfile(
                started_at=self._started_at,
                taken_at=time.time(),
                hooks=AllocationHooks(module.state()),
                interval_bytes=counters["interval_bytes"],
                samples=counters["taken"],
                cpu_seconds=counters["nanoseconds"] / 1e9,
                sites=tuple(self._sites_of(module, rows)),
            )

    def poll(self) -> None:
        """Stop and log a warning if another tool has replaced the hooks: they would miss when samples are freed."""
        if self.hooks is AllocationHooks.DISPLACED:
            self.stop()
            log.warning(
                "heap-exporter has stopped sampling allocations: another tool, such as tracemalloc, replaced its hooks"
            )

    def ignore_this_thread(self) -> None:
        """Sample no allocations of the calling thread, which is one of heap-exporter."""
        if self._module is not None:
            self._module.ignore_thread()

    def after_fork(self) -> None:
        """Replace the lock in a forked child: another thread of the parent may have held it."""
        self._lock = threading.RLock()

    def _sites_of(self, module: ModuleType, rows: Iterable[tuple[Any, ...]]) -> Iterator[AllocationSite]:
        """Yield the stacks of a profile. A continuous profiler asks often for thousands, most of them unchanged."""
        known = self._sites
        for row in rows:
            seen = known.get(row[0])
            if seen is None or seen[0] != row:
                calls = seen[1].calls if seen else tuple(self._line(*call) for call in module.calls(row[0]))
                seen = known[row[0]] = (row, _site(row, calls))
            yield seen[1]

    def _line(self, file: str, function: str, line: int) -> CodeLine:
        key = (file, function, line)
        known = self._lines.get(key)
        if known is None:
            files = self._files
            known = self._lines[key] = CodeLine(files.shown_name(file), line, function, files.is_library(file))
        return known


def _site(row: tuple[Any, ...], calls: tuple[CodeLine, ...]) -> AllocationSite:
    """Return a row of the extension as a stack with these calls."""
    stack, live_bytes, live_objects, variance, _, allocated_bytes, allocated_objects, _ = row
    error = ERRORS_SHOWN * math.sqrt(max(variance, 0.0))
    return AllocationSite(stack, calls, live_bytes, live_objects, error, allocated_bytes, allocated_objects)


def _extension() -> ModuleType:
    """Return the extension in C. Raises :class:`~heap_exporter.errors.AllocationsUnavailable`."""
    try:
        with late_imports():
            from heap_exporter import _allocations
    except ImportError as error:
        detail = (
            "heap-exporter was installed without its C extension for CPython on Linux, so it cannot sample "
            f"allocations: {error}"
        )
        raise AllocationsUnavailable("no_extension", detail) from error
    return _allocations
