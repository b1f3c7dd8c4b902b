"""Reads the memory of the process from the kernel: resident memory by kind, swap, threads, PSS, USS, start time.

All is read from ``/proc/self``, which is always the process that opens it, also in a forked child. Without ``/proc``,
psutil reads a part; with it psutil is not imported, which would cost 1.5 MiB of memory.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from heap_exporter.errors import SourceMissing
from heap_exporter.model import MemoryShares, ProcessMemory

PROC = Path("/proc")

_STATUS_FIELDS = re.compile(rb"^(VmHWM|VmRSS|RssAnon|RssFile|RssShmem|VmSwap|Threads):\s+(\d+)", re.MULTILINE)
_BOOTED_AT = re.compile(rb"^btime (\d+)", re.MULTILINE)
_START_TICKS = 19
"""Field of ``/proc/PID/stat`` after the name of the program (proc(5), field 22)."""

_KIB_FIELDS = (b"VmRSS", b"RssAnon", b"RssFile", b"RssShmem", b"VmHWM", b"VmSwap")


def read_memory(proc: Path = PROC) -> ProcessMemory:
    """Return the memory of the process from ``/proc/self/status`` (proc(5)), in bytes.

    Raises :class:`SourceMissing` if neither ``/proc`` nor psutil shows the process.
    """
    try:
        status = _read(proc / "self" / "status")
    except FileNotFoundError:
        return _memory_from_psutil()
    fields = dict(_STATUS_FIELDS.findall(status))
    resident, anonymous, file, shmem, peak, swap = (_kib(fields.get(name)) for name in _KIB_FIELDS)
    if resident is None:
        raise SourceMissing(f"{proc}/self/status has no VmRSS")
    threads = fields.get(b"Threads")
    return ProcessMemory(resident, anonymous, file, shmem, peak, swap, None if threads is None else int(threads))


def read_shares(proc: Path = PROC) -> MemoryShares:
    """Return PSS and USS of the process in bytes from ``/proc/self/smaps_rollup``: milliseconds in a large process.

    Raises :class:`SourceMissing` if the kernel has no such file or hides it.
    """
    try:
        rollup = _read(proc / "self" / "smaps_rollup")
    except OSError as error:
        raise SourceMissing(f"PSS and USS of the process cannot be read: {error}") from None
    fields = dict(line.split(b":", 1) for line in rollup.splitlines()[1:])
    proportional = _kib(fields.get(b"Pss"))
    clean, dirty = _kib(fields.get(b"Private_Clean")), _kib(fields.get(b"Private_Dirty"))
    if proportional is None or clean is None or dirty is None:
        raise SourceMissing(f"{proc}/self/smaps_rollup has no Pss or Private fields")
    return MemoryShares(proportional, clean + dirty)


def read_physical_bytes() -> int:
    """Return the physical memory of the machine in bytes, as the kernel reports it."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def read_start_time(proc: Path = PROC) -> float:
    """Return when the kernel started this process, in Unix seconds: from ``/proc/self/stat`` and ``/proc/stat``."""
    try:
        after_name = _read(proc / "self" / "stat").rpartition(b")")[2].split()
    except FileNotFoundError:
        return _start_time_from_psutil()
    return read_boot_time(proc) + int(after_name[_START_TICKS]) / os.sysconf("SC_CLK_TCK")


def read_boot_time(proc: Path = PROC) -> float:
    """Return when the machine was started, in Unix seconds, from ``/proc/stat``."""
    try:
        booted_at = _BOOTED_AT.search((proc / "stat").read_bytes())  # some machines have a long line before it
    except OSError as error:
        raise SourceMissing(f"{proc}/stat cannot be read: {error.strerror}") from None
    if booted_at is None:
        raise SourceMissing(f"{proc}/stat has no btime")
    return float(booted_at[1])


def _read(path: Path) -> bytes:
    """Return a file of ``/proc``, in one read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 1 << 16)
    finally:
        os.close(descriptor)


def _kib(text: bytes | None) -> int | None:
    """Return the bytes of a ``123 kB`` field of ``/proc``, ``None`` without it."""
    return None if text is None else int(text.split()[0]) * 1024


def _memory_from_psutil() -> ProcessMemory:
    """Return the resident memory of the process from psutil, where there is no ``/proc``."""
    import psutil

    try:
        process = psutil.Process()
        return ProcessMemory(process.memory_info().rss, None, None, None, None, None, process.num_threads())
    except (psutil.Error, OSError) as error:
        raise SourceMissing(f"neither /proc nor psutil shows this process: {error}") from None


def _start_time_from_psutil() -> float:
    """Return when the process started, from psutil, where there is no ``/proc``."""
    import psutil

    return float(psutil.Process().create_time())
