"""The seam behind which the heap is walked: whoever needs a walk sees only :class:`Walker`."""

from __future__ import annotations

from typing import Protocol

from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Census, Walk


class Walker(Protocol):
    """Walks the heap of its own process, one walk at a time, those objects left out that are heap-exporter's.

    Both verbs raise :class:`~heap_exporter.errors.SourceMissing` where they cannot, and its
    :class:`~heap_exporter.errors.WalkFailed` where they could not.
    """

    @property
    def name(self) -> str:
        """Return ``native`` or ``portable``."""

    def census(self) -> Census:
        """Return all objects by type."""

    def write_graph(self, out: BlockWriter) -> Walk:
        """Write all objects and their references as the data of a snapshot; header and footer are the caller's.

        ``OSError`` from the file of ``out`` passes, if this process writes to it.
        """
