"""A compact set of object addresses for a heap walk."""

from __future__ import annotations

PAGE_BITS = 15


class AddressSet:
    """A set of places (see :mod:`heap_exporter.heapfile.format`), in bit maps of 4 KiB, each for 512 KiB of heap.

    A ``set`` would need about 70 bytes for each object.
    """

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def add(self, place: int) -> bool:
        """Add the place of an object that a heap walk has found; return whether it is new."""
        page = self._pages.get(place >> PAGE_BITS)
        if page is None:
            page = self._pages[place >> PAGE_BITS] = bytearray((1 << PAGE_BITS) // 8)
        at, bit = (place >> 3) & 4095, 1 << (place & 7)
        if page[at] & bit:
            return False
        page[at] |= bit
        return True
