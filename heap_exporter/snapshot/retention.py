"""Decides what is removed from the folder: the oldest snapshots above its quota, and files of killed processes."""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from heap_exporter.heapfile.format import SUFFIX
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.own_folder import OwnFolder, open_folder
from heap_exporter.runtime.quantities import DAY_SECONDS
from heap_exporter.snapshot.file_names import COMPANION, LOCKS, PIN_SUFFIX, SHARED_PARTS, SNAPSHOT_PART, pin_name

ALERT_PIN_SECONDS = 7 * DAY_SECONDS
"""How long the snapshots of an alert or a crash are pinned."""

STALE_PART_SECONDS = 3600.0
"""Age at which the process of a part file has ended. A pid proves nothing: containers may share the folder."""


class RetentionPins:
    """Pins on snapshots that must stay: an empty file for each purpose, whose modification time is the end of the pin.

    So the pin of a killed process ends too.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def pin(self, id: str, purpose: str, seconds: float) -> None:
        """Pin a snapshot in the folder for so long from now on. Raises nothing; a failure is logged."""
        until = time.time() + seconds
        try:
            with open_folder(self._directory) as folder:
                with folder.opened(pin_name(id, purpose), os.O_WRONLY | os.O_CREAT) as pin:
                    os.utime(pin, (until, until))
        except (OSError, OverflowError) as error:
            log.warning("snapshot %s could not be pinned (%s) and may be deleted early: %s", id, purpose, error)

    def unpin(self, id: str, purpose: str) -> None:
        """Remove a pin from a snapshot, if there is one. Raises nothing."""
        with suppress(OSError), open_folder(self._directory) as folder:
            folder.remove(pin_name(id, purpose))

    def pinned(self, purpose: str = "*") -> set[str]:
        """Return the ids of snapshots that any process has pinned, for one purpose or for any. Raises nothing."""
        now, ids = time.time(), set()
        with suppress(OSError), open_folder(self._directory) as folder:
            for pin in fnmatch.filter(folder.names(), pin_name("*", purpose)):
                with suppress(OSError):
                    if folder.status(pin).st_mtime > now:
                        ids.add(pin.partition(".")[0])
        return ids

    def unpin_all(self, id: str) -> None:
        """Remove all pins of a snapshot that no longer exists. Raises nothing."""
        with suppress(OSError), open_folder(self._directory) as folder:
            for pin in fnmatch.filter(folder.names(), pin_name(id, "*")):
                with suppress(OSError):
                    folder.remove(pin)


def excess_snapshots(
    sizes: Mapping[str, int], pinned: Collection[str], keep: int, max_bytes: int, newest: str
) -> Sequence[str]:
    """Return the ids of snapshots to remove, in order, so that ``keep`` snapshots of ``max_bytes`` together remain.

    ``sizes`` is in bytes by id, newest first; ``newest`` always stays. Pinned snapshots are removed last, if they take
    at most half of either quota together with newer pinned ones: old pins must not displace all new snapshots.
    """
    protected: list[str] = []
    for candidate in sizes:
        protected_bytes = sum(sizes[one] for one in [*protected, candidate])
        if candidate in pinned and len(protected) < keep // 2 and protected_bytes <= max_bytes // 2:
            protected.append(candidate)
    others = [one for one in reversed(list(sizes)) if one != newest]
    removed, count, total = [], len(sizes), sum(sizes.values())
    for candidate in sorted(others, key=protected.__contains__):
        if count <= keep and total <= max_bytes:
            break
        removed.append(candidate)
        count, total = count - 1, total - sizes[candidate]
    return removed


def remove_leftovers(folder: OwnFolder, *, is_alone: bool) -> None:
    """Remove what killed processes have left in the snapshot folder. Raises ``OSError``.

    With ``is_alone`` no other process can be writing a snapshot there, so every unfinished file is removed.
    """
    names = folder.names()
    ids = {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
    for name in names:
        with suppress(OSError):
            if _is_leftover(folder, name, ids, is_alone):
                folder.remove(name)


def remove_stale_locks(directory: Path) -> None:
    """Remove the lock files of killed processes from the snapshot folder. Raises ``OSError``."""
    with open_folder(directory) as folder:
        left = set(LOCKS) & {*folder.names()}
    for name in left:
        with suppress(LockHeld, OSError), FolderLock(directory, name).holding():
            pass


def _is_leftover(folder: OwnFolder, name: str, ids: Collection[str], is_alone: bool) -> bool:
    """Return whether a file in the snapshot folder has no snapshot and no running process. Raises ``OSError``."""
    if companion := COMPANION.fullmatch(name):
        return companion[1] not in ids or (name.endswith(PIN_SUFFIX) and _is_stale(folder, name))
    if part := SNAPSHOT_PART.fullmatch(name):
        # A subprocess without the lock writes a report to such a file too; the snapshot of a report exists.
        return (is_alone and part[1] not in ids) or _is_stale(folder, name)
    return name in SHARED_PARTS and _is_stale(folder, name)


def _is_stale(folder: OwnFolder, name: str) -> bool:
    return time.time() - folder.status(name).st_mtime > STALE_PART_SECONDS
