"""The exit codes that the exit watcher of a snapshot folder records."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from heap_exporter.recording.exit_codes import ExitRecord, read_exit
from heap_exporter.recording.folder import EXIT_SUFFIX, open_recordings


def exit_records(folder: Path) -> dict[int, ExitRecord | None]:
    """Return the exit records of the watched processes, by pid; ``None`` while they run."""
    found: dict[int, ExitRecord | None] = {}
    with suppress(FileNotFoundError), open_recordings(folder / "snapshots") as recordings:
        for name in recordings.names():
            if name.endswith(EXIT_SUFFIX):
                pid = name.removesuffix(EXIT_SUFFIX).split("-")[1]
                found[int(pid)] = read_exit(recordings, name)
    return found


def exit_codes(folder: Path) -> dict[int, int | None]:
    """Return the exit codes of the processes that are watched, by pid; ``None`` while they run."""
    return {pid: record.code if record else None for pid, record in exit_records(folder).items()}
