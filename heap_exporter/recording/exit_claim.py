"""Claims the recording of a killed process: each start claims the newest one that no other start has claimed.

It notes in the recording how the process ended. Only a start can detect an OOM kill, because it reads what the cgroup
has counted since.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from heap_exporter.errors import CrashRecordError
from heap_exporter.model import Ending, LastExit, MemoryLimits
from heap_exporter.recording import notes
from heap_exporter.recording.folder import USE_ANOTHER_FOLDER, Recording, open_recordings, recordings
from heap_exporter.runtime.file_lock import open_unless_locked
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.own_folder import OwnFolder


def claim_last_exit(snapshot_folder: Path, limits: MemoryLimits | None) -> LastExit | None:
    """Return the newest kill in the crash records that no other start has claimed, ``None`` if there is none.

    ``limits`` are those of the cgroup now. Never raises; problems are logged.
    """
    try:
        with open_recordings(snapshot_folder) as folder:
            process_exit = _claim(folder, limits)
    except FileNotFoundError:
        return None
    except OSError as problem:
        log.warning("the crash records of earlier processes cannot be read: %s; %s", problem, USE_ANOTHER_FOLDER)
        return None
    except Exception:  # the application must not see it, whatever it is
        log.exception("the crash records in the folder %s cannot be used", snapshot_folder)
        return None
    if process_exit is not None:
        log.log(
            logging.WARNING if process_exit.ended is Ending.OOM_KILL else logging.INFO,
            "an earlier process (pid %d) was killed (%s); `heap-exporter last-exit %s` shows its last hour",
            process_exit.pid, process_exit.ended.value, snapshot_folder,
        )  # fmt: skip  # format and arguments together
    return process_exit


def _claim(folder: OwnFolder, limits: MemoryLimits | None) -> LastExit | None:
    for recording in recordings(folder):
        with suppress(OSError, CrashRecordError):
            with open_unless_locked(folder, recording.csv.name, exclusive=True) as file:
                process_exit = None if file is None else _claim_one(folder, recording, file, limits)
            if process_exit is not None and process_exit.ended.is_kill:
                return process_exit
    return None


def _claim_one(folder: OwnFolder, recording: Recording, file: int, limits: MemoryLimits | None) -> LastExit | None:
    """Return how the process of a recording ended, and note that; ``None`` if another start has claimed it.

    Raises ``FileNotFoundError`` after a clean stop, which leaves no notes.
    """
    name = recording.notes.name
    noted = notes.read_notes(folder, name)
    if notes.read_ending(noted) is not None:
        return None
    with late_imports():
        from heap_exporter.recording.last_exit import exit_of  # only after a crash

    process_exit = exit_of(folder, recording, file, noted, limits)
    if process_exit is None:
        folder.remove(name)
    else:
        notes.write_notes(folder, name, {**noted, "ending": notes.ending_note(process_exit.ended, process_exit.reason)})
    return process_exit
