"""The notes of recordings in a test."""

from pathlib import Path

from heap_exporter.recording.notes import Notes, read_notes
from heap_exporter.runtime.own_folder import open_folder


def notes_of(path: Path) -> Notes:
    """Return the notes in a file."""
    with open_folder(path.parent) as folder:
        return read_notes(folder, path.name)
