"""Writes files atomically: under a hidden name next to their place, then renamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART_SUFFIX = ".part"


def part_name(name: str) -> str:
    """Return the name of the hidden file that a file is written to first: ``.NAME.part`` for ``NAME.any.suffix``."""
    return f".{name.partition('.')[0]}{PART_SUFFIX}"


def part_path(target: Path) -> Path:
    """Return the hidden file next to ``target`` that it is written to first."""
    return target.with_name(part_name(target.name))


@contextmanager
def replace_when_complete(target: Path, part: Path) -> Iterator[Path]:
    """Yield ``part``, where the block writes a file or a folder, and move that to ``target`` when the block ends.

    After an exception, Ctrl-C included, ``target`` is as it was and ``part`` is removed. The files of a folder are
    moved into the folder at ``target``, next to the files there. Raises ``OSError``.
    """
    try:
        yield part
        _move(part, target)
    finally:
        _remove(part)


def _move(part: Path, target: Path) -> None:
    if not part.is_dir():
        part.replace(target)
        return
    made: list[Path] = []
    try:
        for source in (part, *sorted(part.rglob("*"))):
            place = target / source.relative_to(part)
            if not source.is_dir():
                source.replace(place)
            elif not place.is_dir():
                made.append(place)
                place.mkdir(exist_ok=True)
    except BaseException:
        for folder in reversed(made):
            with suppress(OSError):  # another process has put a file into it
                folder.rmdir()
        raise


def _remove(part: Path) -> None:
    with suppress(OSError):
        if part.is_dir():
            import shutil  # only commands write folders

            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
