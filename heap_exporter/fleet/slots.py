"""Gives each process of a service a number of its own, its slot: the label ``worker`` of its metrics.

A slot is the file ``fleet/SERVICE-N.lock`` in the snapshot folder, which its process keeps locked. The kernel releases
the lock when the process ends, however it ends, so the lock shows who lives, also across containers. The file names
the process. Closing any descriptor of a file releases the lock that the process has on it: a process must not open the
file of its own slot.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from heap_exporter.model import Member, Role
from heap_exporter.runtime import forks
from heap_exporter.runtime.ancestors import MAX_ANCESTORS, ancestor_pids
from heap_exporter.runtime.boot_id import read_boot_id
from heap_exporter.runtime.file_lock import LockHeld, lock_file, unlock_file
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.interpreter import python_version
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.logs import log, warn_once
from heap_exporter.runtime.own_folder import OwnFolder, open_folder
from heap_exporter.runtime.service_name import program_name

FOLDER = "fleet"
"""Where the files of the members are, in the snapshot folder."""

MAX_SLOTS = 256
"""Processes of one service that can have a slot."""

LOCK_SUFFIX = ".lock"
FORMAT = 1
MAX_FILE_BYTES = 8192

WITHOUT_SLOT = "0"
"""The label ``worker`` where no slot is possible: the process exports only itself."""

WITHOUT_NUMBER = "none"
"""The label ``worker`` where all slots of the service are taken."""

MAX_NAME_CHARS = 80
MAX_TEXT_CHARS = 200
_TEXTS = ("service", "worker", "boot_id", "host", "python", "program")
_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")
_LOCK_NAME = re.compile(r".+-[0-9]+\.lock")


class Slot:
    """The slot of this process in a fleet; ``name`` is ``SERVICE-N``, with which its files begin.

    ``name`` is ``None`` if the process has no slot.
    """

    def __init__(self, member: Member, name: str | None, snapshot_folder: Path) -> None:
        self.member = member
        self.name = name
        self._snapshot_folder = snapshot_folder

    def role(self) -> Role:
        """Return whether this process is the parent or the child of another member. Raises ``OSError``."""
        return Role.SINGLE if self.name is None else self.member.role_among(members(self._snapshot_folder))

    def release(self) -> None:
        """Give up the slot: another process can take it. In a forked child, which has not taken it, do nothing."""
        name, self.name = self.name, None
        if name is not None and self.member.pid == os.getpid():
            with suppress(OSError), open_fleet(self._snapshot_folder) as folder:
                _held.pop(folder.path / f"{name}{LOCK_SUFFIX}", None)
                unlock_file(folder, f"{name}{LOCK_SUFFIX}")


_held: dict[Path, Member] = {}
"""What this process has written into the files of its slots, which it must not open."""


def take_slot(snapshot_folder: Path, service: str, *, started_at: float | None = None) -> Slot:
    """Take the lowest free slot of a service for this process, until it ends or releases the slot.

    A forked child has no slot until it takes one. ``started_at`` is the start of the process in Unix seconds. Where no
    slot is possible, the slot has no name. Raises nothing.
    """
    try:
        with open_fleet(snapshot_folder, create=True) as folder:
            for number in map(str, range(MAX_SLOTS)):
                with suppress(LockHeld):
                    member, name = _this_process(service, number, started_at), slot_name(service, number)
                    _take(folder, f"{name}{LOCK_SUFFIX}", member)
                    return Slot(member, name, snapshot_folder)
    except OSError as error:
        log.info(
            "heap-exporter in process %d exports only this process: %s cannot be used for several processes: %s",
            os.getpid(), snapshot_folder, error.strerror or error,
        )  # fmt: skip  # format and arguments together
        return Slot(_this_process(service, WITHOUT_SLOT, started_at, has_slot=False), None, snapshot_folder)
    log.warning(
        "heap-exporter in process %d exports only this process: the service %s has %d processes already, which is the "
        "most that can share the folder %s",
        os.getpid(), service, MAX_SLOTS, snapshot_folder,
    )  # fmt: skip  # format and arguments together
    return Slot(_this_process(service, WITHOUT_NUMBER, started_at, has_slot=False), None, snapshot_folder)


def members(snapshot_folder: Path) -> Sequence[Member]:
    """Return the processes that hold a slot now, by service and number. Raises ``OSError``."""
    with open_fleet(snapshot_folder) as folder:
        found = [_read_member(folder, name) for name in folder.names() if _LOCK_NAME.fullmatch(name)]
    return sorted((each for each in found if each is not None), key=lambda each: (each.service, int(each.worker)))


@contextmanager
def open_fleet(snapshot_folder: Path, *, create: bool = False) -> Iterator[OwnFolder]:
    """Yield the folder of the fleet's files; with ``create`` it is made, with mode 0700, where there is none.

    Raises ``OSError``, also if another user owns it.
    """
    with open_folder(snapshot_folder, create=create) as parent, parent.subfolder(FOLDER, create=create) as folder:
        yield folder


def file_name(service: str) -> str:
    """Return the name of a service for file names: of letters, digits, ``-``, ``_``, ``%`` and ``~``, and bounded.

    Two services that differ have different names. There is no dot in it: part files are named by what is before it.
    """
    name = _UNSAFE.sub(lambda found: f"%{found[0][0]:02X}".encode(), service.encode("utf-8", "surrogatepass")).decode()
    if len(name) <= MAX_NAME_CHARS:
        return name
    with late_imports():
        import hashlib  # only a long name needs it

    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{name[: MAX_NAME_CHARS - len(digest) - 1]}~{digest}"


def slot_name(service: str, worker: str) -> str:
    """Return what the names of the files of a slot begin with."""
    return f"{file_name(service)}-{worker}"


def _take(folder: OwnFolder, lock: str, member: Member) -> None:
    """Lock the file of a slot and write the member into it. Raises :class:`LockHeld`, and ``OSError``."""
    file = lock_file(folder, lock)
    try:
        os.truncate(file, 0)
        os.write(file, json.dumps({"format": FORMAT, **asdict(member)}).encode())
    except BaseException:
        unlock_file(folder, lock)
        raise
    _held[folder.path / lock] = member


def _this_process(service: str, worker: str, started_at: float | None, *, has_slot: bool = True) -> Member:
    return Member(
        service=service,
        worker=worker,
        pid=os.getpid(),
        ancestors=ancestor_pids(),
        started_at=started_at,
        boot_id=read_boot_id(),
        host=os.uname().nodename,
        python=python_version(),
        program=program_name(),
        uid=os.geteuid(),
        has_slot=has_slot,
    )


def _read_member(folder: OwnFolder, name: str) -> Member | None:
    """Return the process that holds a slot, ``None`` if none does or if its file cannot be read."""
    own = _held.get(folder.path / name)
    if own is not None and own.pid == os.getpid():  # a fork without hooks copies the parent's
        return own
    with late_imports():
        from heap_exporter.runtime.lock_probe import lock_holder  # it imports a module that only Unix has

    try:
        with folder.opened(name, os.O_RDONLY) as file:
            text = os.pread(file, MAX_FILE_BYTES, 0) if lock_holder(file) is not None else b""
        member = _parse(text, folder.path / name) if text else None
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        OverflowError,
    ):  # removed, being written, or of another program
        return None
    return member if member is not None and name == f"{slot_name(member.service, member.worker)}{LOCK_SUFFIX}" else None


def _parse(text: bytes, path: Path) -> Member | None:
    """Return the member in the text of a lock, ``None`` if another release has written it.

    Raises ``ValueError``, ``KeyError`` and ``TypeError`` for other content.
    """
    document = parse_json(text)
    if document["format"] != FORMAT:
        warn_once(
            f"heap-exporter does not show the process of {path}: another release wrote this file, in format "
            f"{document['format']!r}, and this release reads format {FORMAT}; upgrade the older of the two"
        )
        return None
    started_at = document["started_at"]
    service, worker, boot_id, host, python, program = (str(document[name])[:MAX_TEXT_CHARS] for name in _TEXTS)
    return Member(
        service=service,
        worker=worker,
        boot_id=boot_id,
        host=host,
        python=python,
        program=program,
        pid=int(document["pid"]),
        ancestors=tuple(map(int, document["ancestors"][:MAX_ANCESTORS])),
        uid=int(document["uid"]),
        started_at=None if started_at is None else float(started_at),
    )


def _forget_slots_of_parent() -> None:
    _held.clear()


forks.reset_in_child(_forget_slots_of_parent)
