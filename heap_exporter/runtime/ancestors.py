"""The pids of the processes from which this process descends."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MAX_ANCESTORS = 16

_PROC = Path("/proc")


def ancestor_pids() -> tuple[int, ...]:
    """Return the pid of the parent, of its parent and so on; only the parent where there is no ``/proc``."""
    pids = [os.getppid()]
    with suppress(OSError, ValueError, IndexError):  # it has ended
        while pids[-1] > 1 and len(pids) < MAX_ANCESTORS:
            stat = (_PROC / str(pids[-1]) / "stat").read_bytes()
            pids.append(int(stat.rpartition(b")")[2].split()[1]))  # proc(5), field 4
    return tuple(pid for pid in pids if pid > 0)
