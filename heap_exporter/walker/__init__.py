"""Heap walks over this process; :class:`Walker` is the interface of the native and the portable walker."""

from __future__ import annotations

from typing import Protocol

from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Census, LostMemory, Walk


class Walker(Protocol):
    """Walks the heap of its own process, one walk at a time, without heap-exporter's own objects.

    Its methods raise :class:`~heap_exporter.errors.SourceMissing` if no heap walk is possible here, and
    :class:`~heap_exporter.errors.WalkFailed` if one failed.
    """

    @property
    def name(self) -> str:
        """Return the name of the walker, ``native`` or ``portable``."""

    def census(self) -> Census:
        """Walk the heap and return all objects by type."""

    def write_graph(self, out: BlockWriter) -> Walk:
        """Walk the heap and write all objects and references as data of a snapshot, without header and footer.

        Raises ``OSError`` if this process writes to the file of ``out`` and cannot.
        """

    def lost(self) -> LostMemory:
        """Search the memory of the process for blocks that no pointer leads to; only the native walker can."""
