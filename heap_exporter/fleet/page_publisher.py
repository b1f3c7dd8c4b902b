"""Publishes the page of this process with each reading."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from heap_exporter.fleet.fleet_pages import page_name, socket_name
from heap_exporter.fleet.member_page import MAX_PAGE_BYTES, encode_page
from heap_exporter.fleet.own_process import OwnProcess
from heap_exporter.fleet.slots import open_fleet
from heap_exporter.model import Reading
from heap_exporter.runtime.formatting import size
from heap_exporter.runtime.logs import log


class PagePublisher:
    """Writes the page of this process next to the lock of its slot, while it has one."""

    def __init__(self, snapshot_folder: Path, own: OwnProcess) -> None:
        self._snapshot_folder = snapshot_folder
        self._own = own
        self._has_failed = False
        self._is_withdrawn = False
        self.after_fork()

    def after_fork(self) -> None:
        """Forget in a forked child that a thread of the parent may have been writing."""
        self._writing = threading.Lock()

    def publish(self, reading: Reading) -> None:
        """Replace the page by one of a new reading; a failure is logged once until it works again. Raises nothing."""
        self._own.note(reading)
        member = reading.member
        if member is None or not member.has_slot or self._is_withdrawn:
            return
        problem = self._write(page_name(member), encode_page(self._own.page(member.pid)))
        if problem and not self._has_failed:
            log.warning(
                "heap-exporter cannot publish the page of process %d in %s, so other processes show older values of it "
                "or none: %s",
                member.pid, self._snapshot_folder, problem,
            )  # fmt: skip  # format and arguments together
        self._has_failed = bool(problem)

    def withdraw(self) -> None:
        """Remove the page and the socket, and publish no further page: the process is about to give up its slot."""
        self._is_withdrawn = True
        member = self._own.member
        if member is not None and member.has_slot:
            with suppress(OSError), open_fleet(self._snapshot_folder) as folder:
                folder.remove(page_name(member))
                folder.remove(socket_name(member))

    def _write(self, file: str, data: bytes) -> str:
        """Write a page, and return the problem, ``""`` if there is none. One thread writes at a time."""
        if len(data) > MAX_PAGE_BYTES:
            return f"it would have {size(len(data))}; the limit is {size(MAX_PAGE_BYTES)}"
        try:
            with self._writing, open_fleet(self._snapshot_folder) as folder:  # it exists: the slot is in it
                folder.write(file, data)
        except OSError as error:
            return str(error.strerror or error)
        return ""
