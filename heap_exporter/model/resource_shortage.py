"""Of which resource a snapshot needs more than is available."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from heap_exporter.runtime.short_repr import short_repr


class LimitedResource(StrEnum):
    """A resource that a snapshot needs."""

    MEMORY = "memory"
    ADDRESS_SPACE = "address-space"
    FILE_SIZE = "file-size"
    QUOTA = "quota"
    DISK = "disk"

    @property
    def is_memory(self) -> bool:
        """Return whether memory is short, and not the disk or a limit on files."""
        return self in (LimitedResource.MEMORY, LimitedResource.ADDRESS_SPACE)


@dataclass(frozen=True, slots=True)
class ResourceShortage:
    """A resource of which a snapshot needs more than is available, which may be below zero.

    ``heap_exporter.report.shortage_text`` makes text of it.
    """

    resource: LimitedResource
    needed_bytes: int
    available_bytes: int

    __repr__ = short_repr
