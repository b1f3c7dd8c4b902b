"""Which types get their own Prometheus series: a bounded number in a process, without gaps between scrapes."""

from __future__ import annotations

from collections.abc import Sequence

from heap_exporter.metrics import OTHER_TYPES
from heap_exporter.model import Census, GrowingType, TypeCount

TOP_BY_BYTES = 20
TOP_BY_GROWTH = 10
MAX_TYPES = 64
"""Distinct types in a process; a rate over 15 minutes needs a series without gaps."""

RESERVED_FOR_GROWTH = 16
"""How many of them only growing types get: a leak that begins late needs a series, too."""


class TypeSeries:
    """Chooses the types to export at each census; a chosen type stays, so that its series has no gaps."""

    def __init__(self) -> None:
        self._chosen: dict[str, None] = {}

    def choose(self, census: Census, growers: Sequence[GrowingType]) -> tuple[TypeCount, ...]:
        """Return the counts of the types to export as series, also empty ones, then ``other`` with the rest."""
        self._take([count.type_name for count in census.types[:TOP_BY_BYTES]], MAX_TYPES - RESERVED_FOR_GROWTH)
        self._take([grower.type_name for grower in growers[:TOP_BY_GROWTH]], MAX_TYPES)
        counts = {count.type_name: count for count in census.types}
        shown = [counts.get(name) or TypeCount(name, 0, 0) for name in self._chosen]
        objects = census.objects - sum(count.objects for count in shown)
        size = census.bytes - sum(count.bytes for count in shown)
        return (*shown, TypeCount(OTHER_TYPES, objects, size))

    def _take(self, names: Sequence[str], max_types: int) -> None:
        for name in names:
            if len(self._chosen) < max_types and name != OTHER_TYPES:
                self._chosen[name] = None
