"""Finds children of this process that multiprocessing started anew and in which no exporter runs.

The methods ``spawn`` and ``forkserver`` start an interpreter that imports the main module; what the main module does
only under ``if __name__ == "__main__"`` does not happen in it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from heap_exporter.fleet.slots import members
from heap_exporter.runtime.logs import log

MIN_AGE_SECONDS = 10.0
"""A younger child may still be importing its modules."""

_PROC = Path("/proc")
_SPAWNED = b"--multiprocessing-fork"
_FORKSERVER = b"from multiprocessing.forkserver import main"


class UnreachedChildren:
    """The children without an exporter; :meth:`check` logs them once."""

    def __init__(self, snapshot_folder: Path) -> None:
        self._snapshot_folder = snapshot_folder
        self._first_seen: dict[int, float] = {}
        self._reached: set[int] = set()
        self._has_warned = False

    def check(self) -> None:
        """Log the children without an exporter, if there are any that are old enough. Raises nothing."""
        if self._has_warned:
            return
        now = time.monotonic()
        self._first_seen = {pid: self._first_seen.get(pid, now) for pid in _restarted_children(os.getpid())}
        old = {pid for pid, seen in self._first_seen.items() if now - seen >= MIN_AGE_SECONDS} - self._reached
        if not old:
            return
        with suppress(OSError):
            self._reached |= old & {each.pid for each in members(self._snapshot_folder)}
            if unreached := old - self._reached:
                self._has_warned = True
                log.warning(
                    "heap-exporter does not run in child processes of process %d: %s; multiprocessing started them "
                    "by spawn or forkserver, so call heap_exporter.start() at the top of the main module, or in the "
                    "initializer of the pool",
                    os.getpid(), ", ".join(map(str, sorted(unreached))),
                )  # fmt: skip  # format and arguments together


def _restarted_children(pid: int) -> Iterator[int]:
    """Yield the pids of children that multiprocessing started by spawn or forkserver; none where Linux lists none."""
    for child in _children(pid):
        command = _command(child)
        if _SPAWNED in command:
            yield child
        elif _FORKSERVER in command:
            yield from _children(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in _PROC.glob(f"{pid}/task/*/children"):
        with suppress(OSError):  # the thread has ended
            found += map(int, path.read_text().split())
    return found


def _command(pid: int) -> bytes:
    with suppress(OSError):  # it has ended
        return (_PROC / str(pid) / "cmdline").read_bytes()
    return b""
