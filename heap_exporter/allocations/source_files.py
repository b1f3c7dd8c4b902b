"""How the file of a code object is shown: relative to ``sys.path``, and whether it belongs to the application."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

OWN_FOLDER = str(Path(__file__).parents[1])
PACKAGE_FOLDERS = ("/site-packages/", "/dist-packages/")


class SourceFiles:
    """The source files of the stacks of one profile; ``sys.path`` is read once."""

    def __init__(self) -> None:
        entries = {os.path.abspath(entry) for entry in sys.path}
        self._entries = sorted((_as_folder(entry) for entry in entries), key=len, reverse=True)
        folders = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), OWN_FOLDER)
        self._libraries = ("<frozen ", *map(_as_folder, folders))

    def shown_name(self, file: str) -> str:
        """Return the name of a file relative to the longest entry of ``sys.path`` that it lies in."""
        for entry in self._entries:
            if file.startswith(entry):
                return file[len(entry) :]
        return file

    def is_library(self, file: str) -> bool:
        """Return whether a file belongs to Python, to an installed package or to heap-exporter."""
        return file.startswith(self._libraries) or any(folder in file for folder in PACKAGE_FOLDERS)


def _as_folder(path: str) -> str:
    return path if path.endswith(os.sep) else path + os.sep
