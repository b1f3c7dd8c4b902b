"""The processes of a fleet: all that have an exporter and share a snapshot folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from heap_exporter.runtime.short_repr import short_repr


class Role(StrEnum):
    """What a member is to the other members: whether one of them is its parent or its child."""

    PARENT = "parent"
    CHILD = "child"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Member:
    """A process of a fleet. ``worker`` is the number of its slot among those of the service.

    ``started_at`` is the start of the process in Unix seconds, ``program`` the file name of its program without
    arguments, ``ancestors`` the pids of its parent, of the parent's parent and so on. The pids are those of the
    process's own container. Without a slot ``worker`` names no single process.
    """

    service: str
    worker: str
    pid: int
    ancestors: tuple[int, ...]
    started_at: float | None
    boot_id: str
    host: str
    python: str
    program: str
    uid: int
    has_slot: bool = True

    __repr__ = short_repr

    def role_among(self, members: Iterable[Member]) -> Role:
        """Return the role of this member; one that is both a parent and a child is a parent.

        Processes without an exporter may be between the two, such as the server that forks the processes of a pool.
        """
        relatives = [each for each in members if (each.host, each.boot_id) == (self.host, self.boot_id)]
        if any(self.pid in each.ancestors for each in relatives):
            return Role.PARENT
        return Role.CHILD if any(each.pid in self.ancestors for each in relatives) else Role.SINGLE
