"""Makes memory cgroups, in which the kernel kills a process at its limit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.programs import eventually

MEMORY_CGROUPS = Path("/sys/fs/cgroup/memory")


@contextlib.contextmanager
def memory_cgroup(limit_bytes: int) -> Iterator[Path]:
    """Make a memory cgroup of version 1 under that of this process; skip where that may not be done."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next(line.split(":", 2)[2] for line in lines if "memory" in line.split(":")[1].split(","))
        group = MEMORY_CGROUPS / own.lstrip("/") / f"heap-exporter-test-{os.getpid()}"
        group.mkdir()
    except (OSError, StopIteration):
        pytest.skip("this kernel, or container, does not allow a memory cgroup of version 1")
    try:
        (group / "memory.limit_in_bytes").write_text(str(limit_bytes))
        with contextlib.suppress(OSError):  # without swap accounting there is no such file
            (group / "memory.memsw.limit_in_bytes").write_text(str(limit_bytes))
        yield group
    finally:
        eventually(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
