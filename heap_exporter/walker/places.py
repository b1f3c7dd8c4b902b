"""A set of places of objects that costs little beside the objects."""

from __future__ import annotations

PAGE_BITS = 15


class Places:
    """A set of places (see :mod:`heap_exporter.heapfile.format`), as bit maps of 4 KiB, each for 512 KiB of heap.

    A ``set`` would take some seventy bytes for each object of the heap that is walked.
    """

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def add(self, place: int) -> bool:
        """Add a place; return whether it is new."""
        page = self._pages.get(place >> PAGE_BITS)
        if page is None:
            page = self._pages[place >> PAGE_BITS] = bytearray((1 << PAGE_BITS) // 8)
        at, bit = (place >> 3) & 4095, 1 << (place & 7)
        if page[at] & bit:
            return False
        page[at] |= bit
        return True
