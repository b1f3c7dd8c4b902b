"""Reads the pages of all live members of a fleet, and removes those that ended members have left."""

from __future__ import annotations

import os
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from heap_exporter.fleet.member_page import MAX_PAGE_BYTES, MemberPage, OtherFormat, VerdictInShort, decode_page
from heap_exporter.fleet.slots import members, open_fleet, slot_name
from heap_exporter.model import Member, State
from heap_exporter.runtime.formatting import size
from heap_exporter.runtime.logs import warn_once
from heap_exporter.runtime.own_folder import OwnFolder

PAGE_SUFFIX, SOCKET_SUFFIX = ".page", ".sock"

SILENT_INTERVALS = 3
"""A member whose page is older than this many sampling intervals is not up: it was stopped, or its thread hangs."""

MIN_SILENT_SECONDS = 10.0
"""The same with short intervals: a machine can be too busy for them."""

LEFTOVER_SECONDS = 10.0
"""Age at which the page of an ended member is removed: a member that has just taken its slot publishes a new one."""


@dataclass(frozen=True, slots=True)
class FleetMember:
    """A live member, with its last page, ``None`` before it has published one that can be read."""

    member: Member
    page: MemberPage | None

    @property
    def id(self) -> str:
        """Return the name of the member in URLs and options, such as ``shop-3``."""
        return f"{self.member.service}-{self.member.worker}"

    @property
    def verdict(self) -> VerdictInShort:
        """Return the verdict on the member in short; one without a page is warming up."""
        return self.page.verdict if self.page else VerdictInShort()

    @property
    def growth_bytes_per_second(self) -> float:
        """Return how fast the member grows: by its verdict, or else by its last samples; 0 if it does not."""
        recent = self.page.recent_slope_bytes_per_second if self.page else None
        slopes = (slope for slope in (self.verdict.slope_bytes_per_second, recent) if slope is not None)
        return max(next(slopes, 0.0), 0.0)

    @property
    def is_suspected(self) -> bool:
        """Return whether a leak of the member is suspected or confirmed."""
        return self.verdict.state in (State.SUSPECTED, State.CONFIRMED)

    def is_up(self, now: float) -> bool:
        """Return whether the member's page is not too old; ``now`` is in Unix seconds."""
        if self.page is None:
            return False
        return now - self.page.published_at <= max(SILENT_INTERVALS * self.page.interval_seconds, MIN_SILENT_SECONDS)


def to_push(found: Iterable[FleetMember], own: Member | None, now: float) -> Sequence[tuple[Member, MemberPage]]:
    """Return the members that a hub pushes for over OTLP, besides itself; no other exporter reports these."""
    return [
        (each.member, each.page)
        for each in found
        if each.page is not None and each.member != own and each.is_up(now) and not each.page.is_reported
    ]


def page_name(member: Member) -> str:
    """Return the name of the file in which a member publishes its page."""
    return f"{slot_name(member.service, member.worker)}{PAGE_SUFFIX}"


def socket_name(member: Member) -> str:
    """Return the name of the unix socket on which a member answers."""
    return f"{slot_name(member.service, member.worker)}{SOCKET_SUFFIX}"


class FleetPages:
    """The pages in a snapshot folder. ``label_counts`` has the number of labels of each metric that is read.

    A page that has not changed is not read again. Any thread may use the object: it replaces what it knows as a whole.
    """

    def __init__(self, snapshot_folder: Path, label_counts: Mapping[str, int]) -> None:
        self._snapshot_folder = snapshot_folder
        self._label_counts = label_counts
        self._known: Mapping[str, _KnownPage] = {}

    def read(self) -> Sequence[FleetMember]:
        """Return all live members of the fleet, none where the folder cannot be read. Raises nothing."""
        with suppress(OSError), open_fleet(self._snapshot_folder) as folder:
            alive = {slot_name(member.service, member.worker): member for member in members(self._snapshot_folder)}
            _remove_leftovers(folder, alive)
            self._known = known = {name: self._page(folder, name) for name in alive}
            return [FleetMember(member, known[name].of_process(member.pid)) for name, member in alive.items()]
        return ()

    def _page(self, folder: OwnFolder, name: str) -> _KnownPage:
        """Return the page of a member; one that cannot be read is ``None``."""
        file = f"{name}{PAGE_SUFFIX}"
        try:
            status = folder.status(file)
            stamp = status.st_ino, status.st_mtime_ns, status.st_size
            known = self._known.get(name)
            return known if known and known.stamp == stamp else _KnownPage(stamp, self._decode(folder, file, stamp[2]))
        except FileNotFoundError:
            pass
        except OSError as error:
            warn_once(f"heap-exporter does not show a process: its page cannot be read: {error}")
        return _KnownPage((0, 0, 0), None)

    def _decode(self, folder: OwnFolder, file: str, file_bytes: int) -> MemberPage | None:
        path = folder.path / file
        if file_bytes > MAX_PAGE_BYTES:
            warn_once(f"heap-exporter does not show a process: {path} is larger than {size(MAX_PAGE_BYTES)}")
            return None
        try:
            return decode_page(folder.read(file, MAX_PAGE_BYTES), self._label_counts)
        except OtherFormat as error:
            warn_once(f"heap-exporter does not show a process of another release: {path}: {error}")
        except ValueError as error:
            warn_once(f"heap-exporter does not show a process: {path} is malformed: {error}")
        return None


class _KnownPage(NamedTuple):
    """A page that has been read, and what identifies its file: inode, time of the last change in ns, and bytes."""

    stamp: tuple[int, int, int]
    page: MemberPage | None

    def of_process(self, pid: int) -> MemberPage | None:
        """Return the page unless it is one of an earlier process with the same slot."""
        return self.page if self.page is not None and self.page.pid == pid else None


def _remove_leftovers(folder: OwnFolder, alive: Container[str]) -> None:
    for file in folder.names():
        name, suffix = os.path.splitext(file)
        if suffix == PAGE_SUFFIX and name not in alive:
            with suppress(OSError):
                if time.time() - folder.status(file).st_mtime > LEFTOVER_SECONDS:
                    folder.remove(file)
                    folder.remove(f"{name}{SOCKET_SUFFIX}")
