"""The alerts of leaks that have not ended, each in a file of its process, so that another one can report the end.

A process that is killed cannot report that its leak has ended with it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from heap_exporter.fleet.slots import members, open_fleet, slot_name
from heap_exporter.model import Member
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.own_folder import OwnFolder

SUFFIX = ".alert"
MAX_FILE_BYTES = 1 << 20

Document = dict[str, Any]


class OpenAlerts:
    """The open alerts in the folder of a fleet; a process has at most one. No method raises."""

    def __init__(self, snapshot_folder: Path) -> None:
        self._snapshot_folder = snapshot_folder

    def put(self, member: Member, document: Document) -> None:
        """Store the alert that a member has sent, in place of an earlier one."""
        content = json.dumps({**_process(member), "document": document}).encode()
        with suppress(OSError), open_fleet(self._snapshot_folder) as folder:
            folder.write(_file(member), content)

    def take(self, member: Member) -> Document | None:
        """Remove the open alert of a member and return it, ``None`` if it has none."""
        with suppress(OSError), open_fleet(self._snapshot_folder) as folder:
            process, document = _read(folder, _file(member))
            if process == _process(member):
                return _claimed(folder, _file(member), document)
        return None

    def take_of_ended(self, service: str) -> Sequence[Document]:
        """Remove the open alerts of a service's processes that have ended, and return them.

        Of several processes that do so at once, one has each of them.
        """
        found = []
        with suppress(OSError), open_fleet(self._snapshot_folder) as folder:
            files = [name for name in folder.names() if name.endswith(SUFFIX)]
            live = [_process(each) for each in members(self._snapshot_folder)] if files else []
            for name in files:
                with suppress(OSError):
                    process, document = _read(folder, name)
                    is_of_service = document is None or document.get("service") == service
                    if process not in live and is_of_service:
                        found.append(_claimed(folder, name, document))
        return [document for document in found if document is not None]


def _file(member: Member) -> str:
    return f"{slot_name(member.service, member.worker)}{SUFFIX}"


def _process(member: Member) -> Document:
    """Return what no other process has, as JSON."""
    return {"pid": member.pid, "started_at": member.started_at, "boot_id": member.boot_id}


def _read(folder: OwnFolder, name: str) -> tuple[Document, Document | None]:
    """Return the process of an open alert, and its document, ``None`` if the file is damaged. Raises ``OSError``."""
    try:
        process = parse_json(folder.read(name, MAX_FILE_BYTES))
        document = process.pop("document")
        return process, document if isinstance(document, dict) else None
    except (ValueError, KeyError, AttributeError, TypeError):
        return {}, None


def _claimed(folder: OwnFolder, name: str, document: Document | None) -> Document | None:
    """Return the document if this process, and no other one, removes its file. Raises ``OSError``."""
    os.unlink(name, dir_fd=folder.descriptor)
    return document
