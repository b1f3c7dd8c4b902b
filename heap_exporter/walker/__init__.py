"""The seam behind which the heap is walked: whoever needs a walk sees only :class:`Walker`."""

from __future__ import annotations

from typing import Protocol

from heap_exporter.model import Census, GraphSummary


class Walker(Protocol):
    """Walks the heap of its own process. One walk at a time; both verbs raise ``SourceMissing`` where they cannot."""

    name: str

    def census(self) -> Census:
        """Return all objects by type, those of heap-exporter left out."""

    def graph_summary(self) -> GraphSummary:
        """Return a census and the references between types, those of heap-exporter left out."""
