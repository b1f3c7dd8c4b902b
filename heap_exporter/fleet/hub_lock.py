"""The lock of the process that serves the port for all: the hub.

The file names the hub and its address. There is one lock for each port, so that each port has one hub.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from heap_exporter.fleet.slots import open_fleet
from heap_exporter.runtime.file_lock import LockHeld, lock_file, unlock_file
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.lock_probe import lock_holder

MAX_FILE_BYTES = 8192


@dataclass(frozen=True, slots=True)
class HubAddress:
    """The process that serves the port; ``pid`` is not positive where it is in another container.

    ``url`` is the address of its status page, ``""`` before it listens. ``pushes`` is whether it pushes the metrics of
    all processes over OTLP.
    """

    pid: int
    url: str
    pushes: bool


class HubLock:
    """The lock for a port in the fleet of a snapshot folder; at most one process of the fleet holds it."""

    def __init__(self, snapshot_folder: Path, port: int) -> None:
        self._snapshot_folder = snapshot_folder
        self._name = f"hub.{port}.lock"  # not the name of a slot
        self._file: int | None = None

    def try_take(self) -> bool:
        """Take the lock unless another process holds it; return whether this process has it. Raises ``OSError``."""
        if self._file is None:
            with suppress(LockHeld), open_fleet(self._snapshot_folder, create=True) as folder:
                self._file = lock_file(folder, self._name)
                os.truncate(self._file, 0)
        return self._file is not None

    def announce(self, url: str, *, pushes: bool) -> None:
        """Write the address of the hub, and whether it pushes for all, into the file. Raises ``OSError``.

        This process must hold the lock.
        """
        assert self._file is not None
        os.truncate(self._file, 0)
        os.pwrite(self._file, json.dumps({"url": url, "pushes": pushes}).encode(), 0)

    def release(self) -> None:
        """Give up the lock, if this process holds it. Raises nothing."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError), open_fleet(self._snapshot_folder) as folder:
                unlock_file(folder, self._name)

    def holder(self) -> HubAddress | None:
        """Return the other process that holds the lock, ``None`` if there is none. Raises nothing."""
        if self._file is not None:  # opening and closing the file would release the lock
            return None
        with (
            suppress(OSError),
            open_fleet(self._snapshot_folder) as folder,
            folder.opened(self._name, os.O_RDONLY) as file,
        ):
            pid = lock_holder(file)
            return None if pid is None else _address(pid, os.pread(file, MAX_FILE_BYTES, 0))
        return None


def _address(pid: int, document: bytes) -> HubAddress:
    with suppress(ValueError):
        found = parse_json(document)
        if isinstance(found, dict) and isinstance(found.get("url"), str):
            return HubAddress(pid, found["url"], pushes=found.get("pushes") is True)
    return HubAddress(pid, "", pushes=False)
