"""The folder of recordings: the names of its files, and which of them are removed.

A recording consists of up to four files with one stem, ``<UTC time>-<pid>``:

    STEM.csv            the samples; its process keeps it locked while it runs
    STEM.older.csv.gz   the samples before those, once there are many
    STEM.json           the notes: only while the process runs, and after it ended without a clean stop
    STEM.exit           the exit code of the process, if it was recorded (exit_watcher.py)
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from heap_exporter.recording.exit_codes import read_exit
from heap_exporter.runtime.atomic_file import PART_SUFFIX
from heap_exporter.runtime.file_lock import create_locked, open_unless_locked
from heap_exporter.runtime.formatting import stamp
from heap_exporter.runtime.own_folder import OwnFolder, open_folder

FOLDER = "series"
"""Where recordings are, in the folder of the snapshots."""

USE_ANOTHER_FOLDER = "fix this, or set HEAP_EXPORTER_SNAPSHOT_DIR to another folder"

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


@contextmanager
def open_recordings(snapshot_folder: Path, *, create: bool = False) -> Iterator[OwnFolder]:
    """Yield the folder of recordings; with ``create`` it is made, with mode 0700, where there is none.

    Raises ``OSError``, also if another user owns it.
    """
    with (
        open_folder(snapshot_folder, create=create) as folder,
        folder.subfolder(FOLDER, create=create) as recordings_folder,
    ):
        yield recordings_folder


def create_recording(folder: OwnFolder) -> tuple[Recording, int]:
    """Create the empty, locked CSV file of a new recording; return it with its descriptor. Raises ``OSError``."""
    stem = f"{stamp(time.time())}-{os.getpid()}"
    for number in range(1, MAX_SAME_NAME):
        name = f"{stem}{'' if number == 1 else f'-{number}'}{CSV_SUFFIX}"
        with suppress(FileExistsError, BlockingIOError):  # another process may check just now whether it is locked
            return Recording(folder.path / name), create_locked(folder, name)
    raise FileExistsError(f"{folder.path / stem}{CSV_SUFFIX} and {MAX_SAME_NAME - 1} more exist")


def recordings(folder: OwnFolder) -> Sequence[Recording]:
    """Return the recordings in a folder, the last written first. Raises ``OSError``."""
    return [written.recording for written in sorted(_recordings(folder), reverse=True)]


def remove_excess(folder: OwnFolder, max_recordings: int, max_bytes: int) -> None:
    """Remove the oldest recordings of ended processes until the rest fits. Raises ``OSError``.

    Recordings of running processes count, but stay; so do the newest :data:`KEPT_CRASHES` of crashed ones.
    """
    written = sorted(_recordings(folder))
    count, size = len(written), sum(each.bytes for each in written)
    if count <= max_recordings and size <= max_bytes:
        return
    ended = [each for each in written if each.has_ended(folder)]
    crashed = [each for each in ended if each.has_notes and not each.has_stopped(folder)][-KEPT_CRASHES:]
    for each in ended:
        if count <= max_recordings and size <= max_bytes:
            return
        if each not in crashed and each.remove(folder):
            count, size = count - 1, size - each.bytes


class _Found(NamedTuple):
    """A recording in a folder, and the names of its files. The order of these is that of their last writes."""

    changed_at: float
    recording: Recording
    files: tuple[str, ...]
    bytes: int

    @property
    def has_notes(self) -> bool:
        return self.recording.notes.name in self.files

    def has_stopped(self, folder: OwnFolder) -> bool:
        """Return whether the process is known to have ended by neither SIGKILL nor a crash."""
        exit_record = read_exit(folder, self.recording.exit.name)
        return exit_record is not None and exit_record.is_stop

    def has_ended(self, folder: OwnFolder) -> bool:
        """Return whether no process writes this recording."""
        try:
            with open_unless_locked(folder, self.recording.csv.name) as file:
                return file is not None
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def remove(self, folder: OwnFolder) -> bool:
        """Remove the files of the recording unless a process uses them; return whether they are gone."""
        try:
            with open_unless_locked(folder, self.recording.csv.name, exclusive=True) as file:
                return file is not None and self._remove_files(folder)
        except FileNotFoundError:
            return self._remove_files(folder)
        except OSError:
            return False

    def _remove_files(self, folder: OwnFolder) -> bool:
        for name in self.files:
            folder.remove(name)
        return True


def _recordings(folder: OwnFolder) -> Iterator[_Found]:
    by_stem: dict[str, list[str]] = {}
    for name in folder.names():
        stem = name.removeprefix(".").partition(".")[0]
        if _STEM.fullmatch(stem) and name.endswith(_SUFFIXES):
            by_stem.setdefault(stem, []).append(name)
    for stem, names in by_stem.items():
        with suppress(OSError):  # another process removed it meanwhile
            recording = Recording(folder.path / f"{stem}{CSV_SUFFIX}")
            status = {name: folder.status(name) for name in names}
            changed_at = status.get(recording.csv.name, status[names[0]]).st_mtime
            yield _Found(changed_at, recording, tuple(names), sum(each.st_size for each in status.values()))
