"""The snapshot folder of a service, as the commands find and open it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from heap_exporter.errors import HeapExporterError
from heap_exporter.runtime.own_folder import OwnFolder, open_folder, open_folder_of_any_user
from heap_exporter.settings import Settings, variable
from heap_exporter.snapshot.folder_listing import FolderListing, list_folder

DEFAULT = f"default: {variable('snapshot_dir')}, or its default"
"""The part of a help text that names the folder of a command without a folder."""


class ListedFolder(NamedTuple):
    """A snapshot folder and what is in it."""

    path: Path
    listing: FolderListing


@contextmanager
def service_folder(given: Path | None) -> Iterator[tuple[Path, OwnFolder | None]]:
    """Yield the folder ``given`` on the command line, or else that of the settings, with its path, open to read.

    The folder is ``None`` if that of the settings does not exist. Raises :class:`HeapExporterError` if the folder
    cannot be read, or if the given one does not exist.
    """
    path = given or Settings.load().snapshot_dir
    folder: OwnFolder | None
    with ExitStack() as opened:
        try:
            folder = opened.enter_context(open_folder_of_any_user(path) if given else open_folder(path))
        except (FileNotFoundError, NotADirectoryError):
            if given:
                raise HeapExporterError(
                    f"{given} is not a folder; give the folder that the service uses ({variable('snapshot_dir')})"
                ) from None
            folder = None
        except OSError as problem:
            raise unreadable(path, problem) from None
        yield folder.path if folder else path, folder


def listed(given: Path | None) -> ListedFolder:
    """Return the snapshots in a folder as :func:`service_folder` finds it, none if it does not exist.

    Raises :class:`HeapExporterError`.
    """
    with service_folder(given) as (path, folder):
        try:
            return ListedFolder(path, list_folder(folder) if folder else FolderListing((), ()))
        except OSError as problem:
            raise unreadable(path, problem) from None


def unreadable(folder: Path, problem: OSError) -> HeapExporterError:
    """Return the error of a folder that cannot be read."""
    return HeapExporterError(
        f"cannot read {folder}: {problem.strerror or problem}; run the command as the user that runs the service"
    )
