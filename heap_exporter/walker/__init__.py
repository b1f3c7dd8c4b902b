"""Walks over the heap of this process; :class:`Walker` is the interface of the native and the portable walker."""

from __future__ import annotations

from typing import Protocol

from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Census, Walk


class Walker(Protocol):
    """Walks the heap of its own process, one walk at a time, without heap-exporter's own objects.

    Both methods raise :class:`~heap_exporter.errors.SourceMissing` if no walk is possible here, and
    :class:`~heap_exporter.errors.WalkFailed` if a walk failed.
    """

    @property
    def name(self) -> str:
        """Return ``native`` or ``portable``."""

    def census(self) -> Census:
        """Return all objects by type."""

    def write_graph(self, out: BlockWriter) -> Walk:
        """Write all objects and their references as the data of a snapshot; the caller writes header and footer.

        Raises ``OSError`` if this process writes to the file of ``out`` and cannot.
        """
