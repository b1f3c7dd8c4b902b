"""Records this process's samples, for ``heap-exporter replay`` and, after a crash, for ``heap-exporter last-exit``.

Each sample is one line, written with one ``pwrite(2)``. From then on the kernel has it, so it survives SIGKILL. A
mapped file would survive too, but there a full disk or a truncated file kills the application with SIGBUS. Nothing is
synced: a crash of the machine may cost the last samples.
"""

from __future__ import annotations

import atexit
import errno
import os
import sys
import time
import weakref
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from heap_exporter.model import Census, DetectorThresholds, MemoryLimits, Point, Verdict
from heap_exporter.recording import notes
from heap_exporter.recording.csv_format import HEADER, csv_row
from heap_exporter.recording.folder import (
    FOLDER,
    USE_ANOTHER_FOLDER,
    create_recording,
    open_recordings,
    remove_excess,
)
from heap_exporter.recording.watcher_launch import watch_exits
from heap_exporter.runtime import file_lock
from heap_exporter.runtime.descriptors import is_open
from heap_exporter.runtime.logs import log

MAX_BYTES = 1 << 20
"""Length at which the CSV file is compressed and restarted: about two days of samples every 15 s."""

MAX_FOLDER_BYTES = 8 << 20
MAX_RECORDINGS = 20

GZIP_FORMAT = 31
"""The ``wbits`` of zlib for the format of gzip; the module of that name costs memory."""

RETRY_SECONDS = 60.0
"""How long nothing is recorded after a failure."""

WATCH_SECONDS = 60.0
"""Time between two checks whether the exit watcher is running."""

NOTES_SECONDS = 30.0
"""How old the noted verdict may become while its state and its cause stay the same."""


class Recorder:
    """Records into the folder ``series`` of ``snapshot_folder``. No method raises or waits for a lock.

    The folder contains ``max_recordings`` recordings and ``max_folder_bytes`` at most; :func:`remove_excess` has the
    exceptions. A forked child that records has a recording of its own. One thread records; any may call :meth:`finish`.
    ``thresholds`` are those that the samples are judged with.
    With ``watch_exit``, the exit watcher of the folder records how this process ends. ``failures`` counts the writes
    that failed.
    """

    def __init__(
        self,
        snapshot_folder: Path,
        process_started_at: float | None,
        *,
        max_bytes: int = MAX_BYTES,
        max_folder_bytes: int = MAX_FOLDER_BYTES,
        max_recordings: int = MAX_RECORDINGS,
        watch_exit: bool = False,
        thresholds: DetectorThresholds | None = None,
    ) -> None:
        self._thresholds = thresholds
        self._snapshot_folder = snapshot_folder
        self._process_started_at = process_started_at
        self._max_bytes = max_bytes
        self._max_folder_bytes = max_folder_bytes
        self._max_recordings = max_recordings
        self._watch_exit = watch_exit
        self._watch_at = 0.0
        self._pid = os.getpid()
        self._file: _RecordingFile | None = None
        self._retry_at = 0.0
        self._verdict: Verdict | None = None
        self._notes: dict[str, Any] = {}
        self._notes_due_at: float | None = None
        self.failures = 0
        self._has_warned = self._is_finished = False
        self._at_exit = _finish_at_exit(self)

    @property
    def path(self) -> Path | None:
        """Return the CSV file that is being written, ``None`` while there is none."""
        return self._file.recording.csv if self._file else None

    def record(self, point: Point, limits: MemoryLimits | None = None, census: Census | None = None) -> None:
        """Record a sample, the limits known with it, and the census if one was taken with it."""
        if self._is_finished or time.monotonic() < self._retry_at:
            return
        if not self._attempt(lambda: self._record(point, limits)):
            self._retry_at = time.monotonic() + RETRY_SECONDS
        if census is not None:
            self._note("census", notes.census_note(census))

    def record_verdict(self, verdict: Verdict) -> None:
        """Record the verdict on the last sample: immediately if its state or its cause is new."""
        before, self._verdict = self._verdict, verdict
        is_new = before is None or (before.state, before.cause) != (verdict.state, verdict.cause)
        self._note("verdict", notes.verdict_note(verdict), 0.0 if is_new else NOTES_SECONDS)

    def record_snapshots(self, snapshot_ids: Sequence[str]) -> None:
        """Record which snapshots show the growth, unless they are the same as before."""
        if list(snapshot_ids) != self._notes.get("snapshots", []):
            self._note("snapshots", list(snapshot_ids))

    def finish(self) -> None:
        """Record a clean stop: the notes are removed, the samples stay. In a forked child, the parent's notes stay."""
        self._is_finished = True
        atexit.unregister(self._at_exit)
        file, self._file = self._file, None
        if file is not None:
            file.remove_notes()

    def _attempt(self, write: Callable[[], object]) -> bool:
        """Return whether a write of the recording succeeded; log the first failure."""
        try:
            write()
        except Exception as problem:  # the application must not see it, whatever it is
            if not self._has_warned:
                folder = self._snapshot_folder / FOLDER
                log.warning(
                    "samples cannot be recorded in the folder %s for now: %s; %s", folder, problem, USE_ANOTHER_FOLDER
                )
            self._has_warned = True
            self.failures += 1
            return False
        return True

    def _record(self, point: Point, limits: MemoryLimits | None) -> None:
        if self._file is None or not self._file.is_usable():
            self._begin()
        file = self._file
        if file is None:  # another thread has called finish() meanwhile
            return
        file.append(csv_row(point, limits, self._thresholds))
        if self._watch_exit and time.monotonic() >= self._watch_at:
            self._watch_at = time.monotonic() + WATCH_SECONDS
            with open_recordings(self._snapshot_folder) as folder:
                watch_exits(folder)
        if file.size >= self._max_bytes:
            file.compress()
            self._remove_excess()

    def _begin(self) -> None:
        samples = HEADER
        if self._pid != os.getpid():  # a forked child: the notes are those of its parent
            self._pid, self._process_started_at, self._notes = os.getpid(), None, {}
        elif self._file is not None and self._file.is_removed():
            samples = self._file.content()
        self._file = None  # it closes its descriptor
        self._file = _RecordingFile(self._snapshot_folder, samples)
        self._notes |= notes.new_notes(self._process_started_at)
        self._write_notes()
        self._remove_excess()

    def _remove_excess(self) -> None:
        with open_recordings(self._snapshot_folder) as folder:
            remove_excess(folder, self._max_recordings, self._max_folder_bytes)

    def _note(self, name: str, note: object, delay_seconds: float = 0.0) -> None:
        """Add a note to the recording, and write the notes within ``delay_seconds``."""
        self._notes[name] = note
        due_at = time.monotonic() + delay_seconds
        self._notes_due_at = due_at if self._notes_due_at is None else min(self._notes_due_at, due_at)
        if time.monotonic() >= self._notes_due_at:
            self._write_notes()

    def _write_notes(self) -> None:
        file = self._file
        if file is None:
            return
        is_written = self._attempt(lambda: file.write_notes(self._notes))
        self._notes_due_at = None if is_written else time.monotonic() + RETRY_SECONDS
        if self._is_finished:  # another thread has called finish() meanwhile
            file.remove_notes()


class _RecordingFile:
    """The files of one recording. The CSV file is locked until this object is gone. Methods raise ``OSError``."""

    def __init__(self, snapshot_folder: Path, samples: str) -> None:
        self._pid = os.getpid()
        self._snapshot_folder = snapshot_folder
        self.size = 0
        with open_recordings(snapshot_folder, create=True) as folder:
            self.recording, self._descriptor = create_recording(folder)
            weakref.finalize(self, _close, self._pid, self._descriptor).atexit = False
            try:
                self.append(samples)
            except OSError:
                folder.remove(self.recording.csv.name)
                raise

    def is_usable(self) -> bool:
        """Return whether this process has the file open and locked, and the file has not been removed."""
        return is_open(self._descriptor) and not self.is_removed() and file_lock.renew_lock(self._descriptor)

    def is_removed(self) -> bool:
        """Return whether the CSV file has been removed from its folder; this process can still read it."""
        return is_open(self._descriptor) and os.fstat(self._descriptor).st_nlink == 0

    def content(self) -> str:
        """Return the header and the samples of the recording."""
        return os.pread(self._descriptor, self.size, 0).decode("utf-8", "replace")

    def append(self, line: str) -> None:
        """Write a line of the recording after the last whole one."""
        data = line.encode("utf-8", "replace")
        written = os.pwrite(self._descriptor, data, self.size)
        if written < len(data):
            os.ftruncate(self._descriptor, self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += written

    def compress(self) -> None:
        """Move what was written to the compressed file, in place of its earlier content."""
        older = zlib.compress(os.pread(self._descriptor, self.size, 0), 6, wbits=GZIP_FORMAT)
        with open_recordings(self._snapshot_folder) as folder:
            folder.write(self.recording.older.name, older)
        os.ftruncate(self._descriptor, len(HEADER))
        self.size = len(HEADER)

    def write_notes(self, content: notes.Notes) -> None:
        """Replace the notes of the recording."""
        with open_recordings(self._snapshot_folder) as folder:
            notes.write_notes(folder, self.recording.notes.name, content)

    def remove_notes(self) -> None:
        """Remove the notes of the recording, if they are of this process. Raises nothing."""
        if self._pid == os.getpid():
            with suppress(OSError), open_recordings(self._snapshot_folder) as folder:
                folder.remove(self.recording.notes.name)


def _close(pid: int, descriptor: int) -> None:
    if pid == os.getpid():  # in a forked child it is closed, and another file may use the number
        file_lock.close_locked(descriptor)


def _finish_at_exit(recorder: Recorder) -> Callable[[], None]:
    """Have the recorder finished when the interpreter ends, if it still exists; return the hook for ``atexit``.

    ``atexit`` does not run in a child of ``multiprocessing``, which has hooks of its own.
    """
    reference = weakref.ref(recorder)

    def finish() -> None:
        if (existing := reference()) is not None:
            existing.finish()

    atexit.register(finish)
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, finish, exitpriority=0)
    return finish
