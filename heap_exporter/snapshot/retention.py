"""What may go from the folder: the oldest snapshots above its quota, and what dead processes have left behind."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from heap_exporter.heapfile.format import SUFFIX
from heap_exporter.runtime.atomic_file import PART_SUFFIX, part_path
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.runtime.logs import log

ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9]{1,10}-[0-9a-f]{4}")
"""What an id looks like; nothing else ever becomes part of a path."""

REPORT_SUFFIX = ".report.json"
"""What a comparison with the snapshot before is kept under, beside the snapshot."""

KEPT_SUFFIX = ".kept"
SNAPSHOT_LOCK = "snapshot.lock"
BUDGET_LOCK = "budget.lock"
BUDGET_FILE = "budget.json"

STALE_PART_SECONDS = 3600.0
"""Age at which a part file is a dead process's. Its pid says nothing: the folder may be shared between containers."""

_COMPANION = re.compile(rf"({ID.pattern})(?:{re.escape(REPORT_SUFFIX)}|\.[a-z]+{re.escape(KEPT_SUFFIX)})")
_PART = re.compile(rf"\.({ID.pattern}){re.escape(PART_SUFFIX)}")


class RetentionPins:
    """Marks on snapshots that still matter: an empty file a purpose, whose time of change is when the hold ends.

    Whoever holds one and dies holds it no longer than it said.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def pin(self, id: str, purpose: str, seconds: float) -> None:
        """Hold a snapshot for so long from now on. Raises nothing: where it fails, the log says so."""
        mark, until = self._mark(id, purpose), time.time() + seconds
        try:
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
            os.utime(mark, (until, until))
        except (OSError, OverflowError) as error:
            log.warning("snapshot %s may be removed before its time (%s): %s", id, purpose, error)

    def unpin(self, id: str, purpose: str) -> None:
        """End a hold, if there is one. Raises nothing."""
        with suppress(OSError):
            self._mark(id, purpose).unlink()

    def pinned(self, purpose: str = "*") -> set[str]:
        """Return the ids that are held by anybody, for one purpose or for whatever purpose."""
        now, found = time.time(), set()
        for mark in self._marks(purpose=purpose):
            with suppress(OSError):
                if mark.stat().st_mtime > now:
                    found.add(mark.name.partition(".")[0])
        return found

    def unpin_all(self, id: str) -> None:
        """Remove all marks on a snapshot that is no longer there."""
        for mark in self._marks(id, "*"):
            with suppress(OSError):
                mark.unlink()

    def _mark(self, id: str, purpose: str) -> Path:
        return self._directory / f"{id}.{purpose}{KEPT_SUFFIX}"

    def _marks(self, id: str = "*", purpose: str = "*") -> Sequence[Path]:
        return list(self._directory.glob(f"{id}.{purpose}{KEPT_SUFFIX}"))


def excess_snapshots(
    sizes: Mapping[str, int], held: Collection[str], keep: int, max_bytes: int, newest: str
) -> Sequence[str]:
    """Return the ids that must go so that ``keep`` snapshots of ``max_bytes`` together are left, the first first.

    ``sizes`` is in bytes by id, newest first; ``newest`` never goes. Of the others, those that are held go last of all,
    if they take at most half of either quota together with the newer ones that are held: evidence that nobody releases
    cannot push out all that is new.
    """
    guarded: list[str] = []
    for candidate in sizes:
        guarded_bytes = sum(sizes[one] for one in [*guarded, candidate])
        if candidate in held and len(guarded) < keep // 2 and guarded_bytes <= max_bytes // 2:
            guarded.append(candidate)
    others = [one for one in reversed(list(sizes)) if one != newest]
    going, count, total = [], len(sizes), sum(sizes.values())
    for candidate in sorted(others, key=guarded.__contains__):
        if count <= keep and total <= max_bytes:
            break
        going.append(candidate)
        count, total = count - 1, total - sizes[candidate]
    return going


def sweep(directory: Path, *, is_alone: bool) -> None:
    """Remove what dead processes have left in the folder. Raises nothing.

    ``is_alone`` tells that no other process can be writing a snapshot there now, so that all halves are of the dead.
    """
    try:
        names = os.listdir(directory)
    except OSError:
        return
    ids = {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
    for name in names:
        with suppress(OSError):
            if _is_leftover(directory / name, ids, is_alone):
                (directory / name).unlink()


def sweep_locks(directory: Path) -> None:
    """Remove the files of locks whose holders were killed. Raises nothing."""
    for name in (SNAPSHOT_LOCK, BUDGET_LOCK):
        lock = FolderLock(directory, name)
        with suppress(LockHeld, OSError):
            if lock.path.exists():
                with lock.holding():
                    pass


def _is_leftover(path: Path, ids: Collection[str], is_alone: bool) -> bool:
    """Return whether a file with a name of ours belongs to nothing any more. Raises ``OSError``."""
    if companion := _COMPANION.fullmatch(path.name):
        return companion[1] not in ids or (path.suffix == KEPT_SUFFIX and _is_stale(path))
    if part := _PART.fullmatch(path.name):
        # A report is written aside under such a name too, by a program that holds no lock; its snapshot is there.
        return (is_alone and part[1] not in ids) or _is_stale(path)
    return path == part_path(path.with_name(BUDGET_FILE)) and _is_stale(path)


def _is_stale(path: Path) -> bool:
    return time.time() - path.lstat().st_mtime > STALE_PART_SECONDS
