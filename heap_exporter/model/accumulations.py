"""The places where objects accumulate, as the comparison of two snapshots finds them."""

from __future__ import annotations

from dataclasses import dataclass

from heap_exporter.model.paths import LeakPattern, RetainerPath, Step
from heap_exporter.runtime.short_repr import short_repr


@dataclass(frozen=True, slots=True)
class Accumulation:
    """A place where objects accumulate.

    ``holder`` is the path to the object that keeps them, ``path`` the path to the objects. ``objects`` and ``bytes``
    are the growth between the snapshots; ``share`` is their part of all growth, 0 to 1. ``fingerprint`` is the same for
    the same leak in every process. ``pattern`` is the known leak pattern, if it is one. ``native_bytes`` is the growth
    of native memory next to the objects, if they are handles of such memory; ``bytes_per_minute`` and ``share`` include
    it.
    """

    type_name: str
    holder: RetainerPath
    path: RetainerPath
    fingerprint: str
    objects: int
    bytes: int
    bytes_per_minute: float | None
    share: float
    pattern: LeakPattern | None = None
    native_bytes: int | None = None

    __repr__ = short_repr

    @property
    def all_bytes(self) -> int:
        """Return the growth in bytes of this value's objects and of the native memory next to them."""
        return self.bytes + (self.native_bytes or 0)

    @property
    def minutes(self) -> float | None:
        """Return the value in minutes of the time between the snapshots, ``None`` if it is not known."""
        return self.all_bytes / self.bytes_per_minute if self.bytes_per_minute else None


@dataclass(frozen=True, slots=True)
class CacheLimit:
    """A cache that limits its entries. ``step`` is the step of the path that leads to it, ``type_name`` its type."""

    type_name: str
    step: Step
    entries: int
    max_entries: int

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class SettledHolder:
    """A suspected holder that does not grow with the memory of the process.

    ``step`` and ``type_name`` are as in :class:`CacheLimit`. ``peak_entries`` is the most ``entries`` that it had while
    it was watched.
    """

    type_name: str
    step: Step
    entries: int
    peak_entries: int

    __repr__ = short_repr
