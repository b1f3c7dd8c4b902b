"""What black boxes of the dead tell: how a process ended, and what its memory did before.

Each start claims the newest black box that nobody has claimed, by renaming it under its lock, and notes in it how the
process ended: that can be told only then, by what the cgroup has counted since.
"""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import suppress
from pathlib import Path

from heap_exporter.errors import BlackBoxError
from heap_exporter.model import Ending, LastExit, MemoryLimits
from heap_exporter.recording import notes, ring_format
from heap_exporter.recording.crash_record import last_exit
from heap_exporter.recording.ring import FOLDER, PART_SUFFIX, RING_NAME, Ring, check_owner, of_the_dead, open_ring
from heap_exporter.runtime.logs import log

KEPT_EXITS = 10
"""Claimed black boxes that stay to be read."""

MAX_UNCLAIMED = 20
"""Dead black boxes that wait to be claimed; there are more than that only where processes die and none start."""

STALE_PART_SECONDS = 3600.0
EXIT_NAME = re.compile(r"[0-9]+-[0-9]+-[0-9a-f]{8}\.exit")


def open_black_box(
    snapshot_folder: Path, process_started_at: float | None, limits: MemoryLimits | None
) -> tuple[Ring | None, LastExit | None]:
    """Return a black box for this process, and the last exit that it claims, each ``None`` where there is none.

    Never raises; what is wrong is logged.
    """
    folder = snapshot_folder / FOLDER
    ring = last = None
    try:
        ring = open_ring(folder, process_started_at)
        last = claim(folder, limits)
        if last is not None:
            level = logging.WARNING if last.ended is Ending.OOM_KILL else logging.INFO
            log.log(
                level, "process %d before this one (%s): %s; `heap-exporter last-exit %s` tells what its memory did",
                last.pid, last.ended.value, last.ended_why, snapshot_folder,
            )  # fmt: skip  # format and arguments together
    except (BlackBoxError, OSError) as problem:
        log.warning("nothing will be known of this process if it is killed: %s", problem)
    except Exception:  # the process that hosts us must not see it, whatever it is
        log.exception("the black boxes in %s cannot be used", folder)
    return ring, last


def claim(folder: Path, limits: MemoryLimits | None) -> LastExit | None:
    """Return the newest exit that nobody has claimed, and keep the folder small. Raises :class:`BlackBoxError`."""
    check_owner(folder)
    claimed, waiting = None, 0
    for path in _newest_first(folder, RING_NAME):
        with suppress(OSError), of_the_dead(path, claim=True) as file:
            if file is None:
                continue
            if claimed is None:
                claimed = _claim_one(path, file, limits)
            elif (waiting := waiting + 1) > MAX_UNCLAIMED:
                path.unlink()
    _tidy(folder)
    return claimed


def find_exits(folder: Path) -> tuple[list[tuple[Path, LastExit]], list[tuple[Path, BlackBoxError]]]:
    """Return every exit in the folder, claimed or not, the last one first; and what is wrong with damaged files.

    Nothing is claimed and nothing is written.
    """
    exits, damaged = [], []
    for path in (*_newest_first(folder, RING_NAME), *_newest_first(folder, EXIT_NAME)):
        with suppress(OSError), of_the_dead(path) as file:
            if file is None:
                continue
            try:
                contents = ring_format.parse(os.pread(file, ring_format.FILE_BYTES, 0))
                if contents.ended_at is None and contents.samples:
                    exits.append((path, last_exit(contents, None)))
            except BlackBoxError as problem:
                damaged.append((path, problem))
    return sorted(exits, key=lambda found: -found[1].last.t_seconds), damaged


def _claim_one(path: Path, file: int, limits: MemoryLimits | None) -> LastExit | None:
    """Return what the file of a dead process tells, and keep it as claimed; one that stopped in order goes."""
    try:
        contents = ring_format.parse(os.pread(file, ring_format.FILE_BYTES, 0))
    except BlackBoxError as problem:
        log.warning("%s says nothing: %s", path, problem)
        path.rename(path.with_suffix(".exit"))
        return None
    if contents.ended_at is not None or not contents.samples:
        path.unlink()
        return None
    found = last_exit(contents, limits)
    note = notes.plain_note({"ended": found.ended.value, "why": found.ended_why, "claimed_at": time.time()})
    os.pwrite(file, ring_format.note_bytes(1, note), ring_format.note_at("ending", 1))
    path.rename(path.with_suffix(".exit"))
    return found


def _newest_first(folder: Path, name: re.Pattern[str]) -> list[Path]:
    """Return the files of such a name, the last written first."""
    found = []
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                if name.fullmatch(entry.name):
                    found.append((entry.stat(follow_symlinks=False).st_mtime, Path(entry.path)))
    return [path for _, path in sorted(found, reverse=True)]


def _tidy(folder: Path) -> None:
    """Remove what is old: exits but the last ones, and files whose making was cut off."""
    for path in _newest_first(folder, EXIT_NAME)[KEPT_EXITS:]:
        with suppress(OSError):
            path.unlink()
    for path in folder.glob(f"*{PART_SUFFIX}"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > STALE_PART_SECONDS:
                path.unlink()
