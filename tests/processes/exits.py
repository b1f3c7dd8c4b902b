"""The exit codes that the exit watcher of a snapshot folder records."""

from __future__ import annotations

from pathlib import Path

from heap_exporter.recording.exit_codes import read_exit


def exit_codes(folder: Path) -> dict[int, int | None]:
    """Return the exit codes of the processes that are watched, ``None`` while they run."""
    found: dict[int, int | None] = {}
    for path in (folder / "snapshots" / "series").glob("*.exit"):
        record = read_exit(path)
        found[int(path.stem.split("-")[1])] = record.code if record else None
    return found
