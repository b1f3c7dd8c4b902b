"""Reads the recordings of this service's earlier processes, so that the detector knows how these grew.

A leak that kills a process within minutes is confirmed only by what its runs have in common. Runs that stopped cleanly
do not count: a job that grows until its work is done is no leak. Their recordings have no notes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from heap_exporter.errors import CrashRecordError
from heap_exporter.model import Point
from heap_exporter.recording import notes
from heap_exporter.recording.folder import Recording, open_recordings, recordings
from heap_exporter.runtime.file_lock import open_unless_locked
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.own_folder import OwnFolder
from heap_exporter.runtime.service_name import service_name

MAX_RUNS = 4
"""Runs that are read: the newest that ended."""

MAX_BYTES = 512 * 1024
"""What is read of all recordings together, about 3,000 samples; a run that does not fit is left out."""

Run = tuple[Point, ...]


def read_earlier_runs(snapshot_folder: Path) -> Sequence[Run]:
    """Return the points of the runs of this service that ended without a clean stop, oldest first.

    Of two that ran at the same time, only the later one is returned. Never raises; problems are logged.
    """
    try:
        with open_recordings(snapshot_folder) as folder:
            return _read_runs(folder)
    except FileNotFoundError:
        return ()
    except Exception as problem:  # the application must not see it, whatever it is
        log.warning("the recordings of earlier processes cannot be read: %s", problem)
        return ()


def _read_runs(folder: OwnFolder) -> Sequence[Run]:
    found: list[Run] = []
    left, names, service = MAX_BYTES, set(folder.names()), service_name()
    for recording in recordings(folder):
        if recording.older.name in names or not _is_of(service, folder, recording):  # its beginning was compressed
            continue
        with suppress(OSError), open_unless_locked(folder, recording.csv.name) as file:
            if file is None:  # it runs
                continue
            data = os.pread(file, left + 1, 0)
            run = _points(data) if len(data) <= left else ()
            if run and (not found or run[-1].t_seconds <= found[-1][0].t_seconds):
                found.append(run)
                left -= len(data)
        if len(found) == MAX_RUNS:
            break
    return found[::-1]


def _is_of(service: str, folder: OwnFolder, recording: Recording) -> bool:
    """Return whether the notes of a recording have the name of this service."""
    with suppress(OSError, CrashRecordError):
        return bool(notes.read_notes(folder, recording.notes.name).get("service") == service)
    return False


def _points(data: bytes) -> Run:
    """Return the points in a CSV file, without lines that are damaged."""
    with late_imports():
        import csv  # only after a crash

        from heap_exporter.recording.series_reader import RowConverter

    header, *lines = data.decode("utf-8", "replace").split("\n")[:-1] or [""]  # the rest is no whole line
    found: list[Point] = []
    with suppress(ValueError):  # the header is damaged
        convert = RowConverter(header.split(","))
        for line in lines:
            with suppress(ValueError, csv.Error):
                found.append(convert.point(next(csv.reader((line,), strict=True))))
    return tuple(found)
