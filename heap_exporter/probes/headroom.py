"""Reads how much memory is available: below the memory limit of the process, and on the machine."""

from __future__ import annotations

import re
from pathlib import Path

from heap_exporter.errors import SourceMissing
from heap_exporter.probes.cgroup import CGROUP_ROOT, PROC, read_limits

_AVAILABLE_KIB = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)


def read_headroom(proc: Path = PROC, root: Path = CGROUP_ROOT) -> int | None:
    """Return how many more bytes the process and new processes can use, ``None`` where neither source is known.

    This is the smaller of two figures: what is left below the limit of the cgroup, and what the machine has available
    (``MemAvailable`` in proc(5)).
    """
    known = (_below_the_limit(proc, root), _on_the_machine(proc))
    return min((left for left in known if left is not None), default=None)


def _below_the_limit(proc: Path, root: Path) -> int | None:
    """Return the headroom below the memory limit of the cgroup, ``None`` without a limit."""
    try:
        return read_limits(proc, root).headroom_bytes
    except SourceMissing:
        return None


def _on_the_machine(proc: Path) -> int | None:
    """Return the memory that the kernel can give to new processes without swapping, ``None`` if unknown."""
    try:
        found = _AVAILABLE_KIB.search((proc / "meminfo").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
