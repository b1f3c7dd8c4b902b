"""Input and output files of the commands: paths as arguments, and outputs that appear once they are complete."""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heap_exporter.errors import HeapExporterError
from heap_exporter.runtime.atomic_file import part_path, replace_when_complete
from heap_exporter.runtime.formatting import size


def input_path(text: str) -> Path:
    """Return the path of a file to read: the ``type`` of an argument. Refuses "", which would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("the file name is empty")
    return Path(text)


def output_path(text: str) -> Path:
    """Return the path of a file to write: the ``type`` of ``-o``."""
    if text == "-":
        raise argparse.ArgumentTypeError("- (stdout) is not supported; give a file name")
    return input_path(text)


def refuse_overwriting(target: Path, *snapshots: Path) -> None:
    """Raise :class:`HeapExporterError` if ``target`` is one of the snapshots to read."""
    for snapshot in snapshots:
        with suppress(OSError):  # one that does not exist is reported when it is opened
            if target.samefile(snapshot):
                raise HeapExporterError(f"cannot write {target}: it is the input snapshot; use -o to name another file")


def write_text(target: Path, text: str) -> str:
    """Write a text to a file and return a line about it. Raises :class:`HeapExporterError` if that fails."""
    with output_file(target) as part:
        byte_count = part.write_bytes(text.encode("utf-8", "replace"))
    return f"written to {target} ({size(byte_count)})"


@contextmanager
def output_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path for a file or a folder of files, and move it to ``target`` when it is complete.

    After an exception, or Ctrl-C, ``target`` is as it was before. The files of a folder are added to those in
    ``target``. A device or a pipe is written directly. Raises :class:`HeapExporterError` if writing fails.
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
