"""The folder of recordings: the names of its files, and which of them are removed.

A recording consists of up to four files with one stem, ``<UTC time>-<pid>``:

    STEM.csv            the samples; its process keeps it locked while it runs
    STEM.older.csv.gz   the samples before those, once there are many
    STEM.json           the notes: only while the process runs, and after it ended without a clean stop
    STEM.exit           the exit code of the process, if it was seen (exit_watcher.py)
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from heap_exporter.errors import CrashRecordError
from heap_exporter.recording.exit_codes import read_exit
from heap_exporter.runtime.atomic_file import PART_SUFFIX
from heap_exporter.runtime.file_lock import create_locked, open_unless_locked
from heap_exporter.runtime.file_owner import foreign_owner
from heap_exporter.runtime.formatting import stamp

FOLDER = "series"
"""Where recordings are, in the folder of the snapshots."""

CSV_SUFFIX, OLDER_SUFFIX, NOTES_SUFFIX, EXIT_SUFFIX = ".csv", ".older.csv.gz", ".json", ".exit"

_SUFFIXES = (CSV_SUFFIX, OLDER_SUFFIX, NOTES_SUFFIX, EXIT_SUFFIX, PART_SUFFIX)

KEPT_CRASHES = 10
"""The newest recordings of crashed processes stay, whatever the quotas: many running workers may fill these."""

MAX_SAME_NAME = 100
"""Recordings of one process that begin in one second."""

_STEM = re.compile(r"[0-9]{8}T[0-9]{6}Z-([0-9]+)(-[0-9]+)?")


class Recording(NamedTuple):
    """The paths of one recording, whether they exist or not."""

    csv: Path

    @property
    def older(self) -> Path:
        """Return the file of the recorded samples before those of ``csv``."""
        return self.csv.with_suffix(OLDER_SUFFIX)

    @property
    def notes(self) -> Path:
        """Return the file of the recording's notes."""
        return self.csv.with_suffix(NOTES_SUFFIX)

    @property
    def exit(self) -> Path:
        """Return the file of the exit code of the recorded process."""
        return self.csv.with_suffix(EXIT_SUFFIX)

    @property
    def pid(self) -> int:
        """Return the pid of the recorded process; the name of the recording has it."""
        match = _STEM.fullmatch(self.csv.name.removesuffix(CSV_SUFFIX))
        return int(match[1]) if match else 0


def create_recording(folder: Path) -> tuple[Recording, int]:
    """Create the empty, locked CSV file of a new recording; return it with its descriptor.

    The folder is made, with mode 0700, where there is none. Raises ``OSError`` and :class:`CrashRecordError`.
    """
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # parents=True alone would give it the default mode
    folder.mkdir(mode=0o700, exist_ok=True)
    check_owner(folder)
    stem = f"{stamp(time.time())}-{os.getpid()}"
    for number in range(1, MAX_SAME_NAME):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{CSV_SUFFIX}"
        with suppress(FileExistsError, BlockingIOError):  # another process may check just now whether it is locked
            return Recording(path), create_locked(path)
    raise FileExistsError(f"{folder / stem}{CSV_SUFFIX} and {MAX_SAME_NAME - 1} more exist")


def check_owner(folder: Path) -> None:
    """Raise :class:`CrashRecordError` if another user owns the folder of recordings; ``OSError`` if there is none."""
    owner = foreign_owner(folder, folder.parent)
    if owner is not None:
        raise CrashRecordError(
            f"{folder} belongs to user {owner}; set HEAP_EXPORTER_SNAPSHOT_DIR to a folder of your own"
        )


def recordings(folder: Path) -> Sequence[Recording]:
    """Return the recordings in a folder, the last written first."""
    with suppress(FileNotFoundError):
        return [found.recording for found in sorted(_recordings(folder), reverse=True)]
    return []


def remove_excess(folder: Path, max_recordings: int, max_bytes: int) -> None:
    """Remove the oldest recordings of ended processes until the rest fits. Raises ``OSError`` without a folder.

    Recordings of running processes count, but stay; so do the newest :data:`KEPT_CRASHES` of crashed ones.
    """
    found = sorted(_recordings(folder))
    count, size = len(found), sum(each.bytes for each in found)
    if count <= max_recordings and size <= max_bytes:
        return
    ended = [each for each in found if each.has_ended()]
    crashed = [each for each in ended if each.has_notes and not each.has_stopped()][-KEPT_CRASHES:]
    for each in ended:
        if count <= max_recordings and size <= max_bytes:
            return
        if each not in crashed and each.remove():
            count, size = count - 1, size - each.bytes


class _Found(NamedTuple):
    """A recording in a folder. The order of these is that of their last writes."""

    changed_at: float
    recording: Recording
    files: tuple[Path, ...]
    bytes: int

    @property
    def has_notes(self) -> bool:
        return self.recording.notes in self.files

    def has_stopped(self) -> bool:
        """Return whether the process is known to have ended by neither SIGKILL nor a crash."""
        seen = read_exit(self.recording.exit)
        return seen is not None and seen.is_stop

    def has_ended(self) -> bool:
        """Return whether no process writes this recording."""
        try:
            with open_unless_locked(self.recording.csv) as file:
                return file is not None
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def remove(self) -> bool:
        """Remove the files of the recording unless a process uses them; return whether they are gone."""
        try:
            with open_unless_locked(self.recording.csv, exclusive=True) as file:
                return file is not None and self._unlink()
        except FileNotFoundError:
            return self._unlink()
        except OSError:
            return False

    def _unlink(self) -> bool:
        for file in self.files:
            file.unlink(missing_ok=True)
        return True


def _recordings(folder: Path) -> Iterator[_Found]:
    by_stem: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        stem = path.name.removeprefix(".").partition(".")[0]
        if _STEM.fullmatch(stem) and path.name.endswith(_SUFFIXES):
            by_stem.setdefault(stem, []).append(path)
    for stem, files in by_stem.items():
        with suppress(OSError):  # another process removed it meanwhile
            recording = Recording(folder / f"{stem}{CSV_SUFFIX}")
            changed_at = (recording.csv if recording.csv in files else files[0]).lstat().st_mtime
            yield _Found(changed_at, recording, tuple(files), sum(file.lstat().st_size for file in files))
