"""Which types get a series of their own: bounded for the life of the process, steady from scrape to scrape."""

from __future__ import annotations

from collections.abc import Sequence

from heap_exporter.metrics import OTHER_TYPES
from heap_exporter.model import Census, GrowingType, TypeCount

TOP_BY_BYTES = 20
TOP_BY_GROWTH = 10
MAX_TYPES = 64
"""Distinct types in a process's life; a rate over 15 minutes needs a series that does not come and go."""

KEPT_FOR_GROWTH = 16
"""So many of them only growth can take: a leak that begins late must still get its series."""


class TypeSeries:
    """Chooses types census by census; a type once chosen stays, so that its series has no gaps."""

    def __init__(self) -> None:
        self._chosen: dict[str, None] = {}

    def choose(self, census: Census, growers: Sequence[GrowingType]) -> tuple[TypeCount, ...]:
        """Return the chosen types, those without objects too, then ``other`` with the sum of the rest."""
        self._take([count.type_name for count in census.types[:TOP_BY_BYTES]], MAX_TYPES - KEPT_FOR_GROWTH)
        self._take([grower.type_name for grower in growers[:TOP_BY_GROWTH]], MAX_TYPES)
        alive = {count.type_name: count for count in census.types}
        shown = [alive.get(name) or TypeCount(name, 0, 0) for name in self._chosen]
        objects = census.objects - sum(count.objects for count in shown)
        size = census.bytes - sum(count.bytes for count in shown)
        return (*shown, TypeCount(OTHER_TYPES, objects, size))

    def _take(self, names: Sequence[str], most: int) -> None:
        for name in names:
            if len(self._chosen) < most and name != OTHER_TYPES:
                self._chosen[name] = None
