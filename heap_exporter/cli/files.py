"""The files that the commands are given: their names as typed, and outputs that are there once they are whole."""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heap_exporter.errors import HeapExporterError
from heap_exporter.runtime.atomic_file import part_path, replace_when_complete


def named(text: str) -> Path:
    """Return the file of that name: the ``type`` of an argument. An empty one would be the present folder."""
    if not text:
        raise argparse.ArgumentTypeError("no file has an empty name")
    return Path(text)


def named_output(text: str) -> Path:
    """Return the file of that name to write: the ``type`` of ``-o``."""
    if text == "-":
        raise argparse.ArgumentTypeError("- is no file; name the one to write")
    return named(text)


def spare(target: Path, *snapshots: Path) -> None:
    """Raise :class:`HeapExporterError` if to write ``target`` would destroy one of the snapshots that are read."""
    for snapshot in snapshots:
        with suppress(OSError):  # a file that does not exist: whoever opens it tells
            if target.samefile(snapshot):
                raise HeapExporterError(f"cannot write {target}: it is the snapshot to read; name another with -o")


def written(target: Path, text: str) -> str:
    """Write a text to a file and return a line about it. Raises :class:`HeapExporterError` where it cannot."""
    with written_aside(target) as part:
        size = part.write_bytes(text.encode("utf-8", "replace"))
    return f"written to {target} ({size:,} bytes)"


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Yield where to write a file, or a folder of files, which takes its place at ``target`` once it is whole.

    A failure, Ctrl-C too, leaves what was there before; one to write is a :class:`HeapExporterError`. The files of a
    folder join those that are there. A device or a pipe is written as it is.
    """
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            yield target
            return
        real = Path(os.path.realpath(target))  # a link stays one
        part = (real if real.is_dir() else real.parent) / part_path(Path(f"heap-exporter-{secrets.token_hex(8)}"))
        with replace_when_complete(real, part):
            yield part
            if real.is_dir() and not part.is_dir():
                raise HeapExporterError(f"cannot write {real}: it is a folder")
    except OSError as problem:
        raise HeapExporterError(f"cannot write {target}: {problem.strerror or problem}") from None
