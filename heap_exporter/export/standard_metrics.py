"""The standard metrics of a Python process, with the names and values that client_python gives them by default.

Dashboards and alert rules use them. client_python itself would cost 14 MiB of memory: it
imports an HTTP server and TLS.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import suppress

from heap_exporter.errors import SourceMissing
from heap_exporter.export.families import Family
from heap_exporter.probes.process import read_boot_time
from heap_exporter.runtime.interpreter import implementation, python_version

_PROC_STAT = "/proc/self/stat"
_USER_TICKS, _SYSTEM_TICKS, _START_TICKS, _VIRTUAL_BYTES, _RESIDENT_PAGES = 11, 12, 19, 20, 21
"""Fields of ``/proc/PID/stat`` after the name of the program (proc(5), fields 14, 15, 22, 23 and 24)."""


class StandardMetrics:
    """The standard metrics of this process: memory, CPU time, files, the interpreter and its garbage collector."""

    def __init__(self) -> None:
        self._booted_at: float | None = None
        with suppress(SourceMissing):
            self._booted_at = read_boot_time()

    def families(self) -> Iterator[Family]:
        """Yield the Prometheus families, read now. On a machine without ``/proc`` those of the process are left out."""
        if self._booted_at is not None:
            try:
                yield from self._process(self._booted_at)
                yield from _files()
            except OSError:  # /proc is hidden
                pass
        yield _python_info()
        if implementation() == "CPython":
            yield from _garbage_collector()

    def _process(self, booted_at: float) -> Iterator[Family]:
        with open(_PROC_STAT, "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        resident = float(fields[_RESIDENT_PAGES]) * os.sysconf("SC_PAGE_SIZE")
        started_at = float(fields[_START_TICKS]) / ticks + booted_at
        cpu = float(fields[_USER_TICKS]) / ticks + float(fields[_SYSTEM_TICKS]) / ticks
        yield _gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", float(fields[_VIRTUAL_BYTES]))
        yield _gauge("process_resident_memory_bytes", "Resident memory size in bytes.", resident)
        yield _gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", started_at)
        yield Family(
            "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", True, (), [((), cpu)]
        )


def _files() -> Iterator[Family]:
    import resource

    open_files = len(os.listdir("/proc/self/fd"))
    max_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    is_unlimited = max_files == resource.RLIM_INFINITY
    yield _gauge("process_open_fds", "Number of open file descriptors.", float(open_files))
    yield _gauge(
        "process_max_fds", "Maximum number of open file descriptors.", float("inf" if is_unlimited else max_files)
    )


def _python_info() -> Family:
    version = python_version()
    major, minor, patchlevel = version.split(".", 2)
    labels = ("version", "implementation", "major", "minor", "patchlevel")
    values = (version, implementation(), major, minor, patchlevel)
    return Family("python_info", "Python platform information", False, labels, [(values, 1.0)])


def _garbage_collector() -> Iterator[Family]:
    stats = gc.get_stats()
    for name, key, text in (
        ("objects_collected", "collected", "Objects collected during gc"),
        ("objects_uncollectable", "uncollectable", "Uncollectable objects found during GC"),
        ("collections", "collections", "Number of times this generation was collected"),
    ):
        points = [((str(generation),), float(found[key])) for generation, found in enumerate(stats)]
        yield Family(f"python_gc_{name}_total", text, True, ("generation",), points)


def _gauge(name: str, text: str, value: float) -> Family:
    return Family(name, text, False, (), [((), value)])
