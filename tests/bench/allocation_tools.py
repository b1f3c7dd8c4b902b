"""Tools that record allocations, each as a context manager, for :mod:`tests.bench.allocations`."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from heap_exporter.allocations import AllocationSampler

KIB = 1024


@dataclass(frozen=True, slots=True)
class RecordingTool:
    """A tool: what records while the context manager is open, and the module that it needs."""

    recording: Callable[[], AbstractContextManager[Any]]
    module: str = "heap_exporter"

    @property
    def installed(self) -> bool:
        """Whether its module is there."""
        with suppress(ModuleNotFoundError):
            return find_spec(self.module) is not None
        return False


@contextmanager
def _sampler(interval_bytes: int) -> Iterator[None]:
    sampler = AllocationSampler(interval_bytes)
    sampler.start()
    try:
        yield
    finally:
        sampler.stop()


@contextmanager
def _tracemalloc() -> Iterator[None]:
    tracemalloc.start(1)
    try:
        yield
    finally:
        tracemalloc.stop()


@contextmanager
def _memray() -> Iterator[None]:
    import memray

    with tempfile.TemporaryDirectory() as folder:
        target = memray.FileDestination(Path(folder) / "memray.bin", overwrite=True)
        with memray.Tracker(destination=target, file_format=memray.FileFormat.AGGREGATED_ALLOCATIONS):
            yield


@contextmanager
def _ddtrace() -> Iterator[None]:
    from ddtrace.profiling.collector import memalloc

    collector = memalloc.MemoryCollector(heap_sample_size=512 * KIB)
    collector.start()
    try:
        yield
    finally:
        collector.stop()


@contextmanager
def _mprofile() -> Iterator[None]:
    import mprofile

    mprofile.start(sample_rate=512 * KIB)
    try:
        yield
    finally:
        mprofile.stop()


TOOLS = {
    "nothing (noise)": RecordingTool(nullcontext),
    "heap-exporter, 512 KiB": RecordingTool(lambda: _sampler(512 * KIB)),
    "heap-exporter, 128 KiB (default)": RecordingTool(lambda: _sampler(128 * KIB)),
    "ddtrace memalloc, 512 KiB": RecordingTool(_ddtrace, "ddtrace"),
    "mprofile, 512 KiB": RecordingTool(_mprofile, "mprofile"),
    "memray, aggregated": RecordingTool(_memray, "memray"),
    "tracemalloc, 1 frame": RecordingTool(_tracemalloc, "tracemalloc"),
}
