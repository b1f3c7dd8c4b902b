"""Searches for lost memory whenever a snapshot is taken, and keeps the first and the last result."""

from __future__ import annotations

from heap_exporter.errors import SourceMissing
from heap_exporter.model import LostGrowth, LostMemory
from heap_exporter.model.lost_memory import lost_growth
from heap_exporter.probes.process import read_memory
from heap_exporter.runtime.formatting import size
from heap_exporter.runtime.logs import log
from heap_exporter.walker import Walker


class LostSearch:
    """Searches with ``walker`` if ``is_wanted``, while the process has at most ``max_bytes`` in RAM.

    Any thread may call its methods. A forked child has a search of its own.
    """

    def __init__(self, walker: Walker, *, is_wanted: bool, max_bytes: int) -> None:
        self._first: LostMemory | None = None
        self._last: LostMemory | None = None
        self._walker = walker
        self._is_wanted = is_wanted
        self._max_bytes = max_bytes

    def search(self) -> LostMemory | None:
        """Search now; return ``None`` if that is not wanted or fails. Raises nothing."""
        if not self._is_wanted or self._walker.name != "native":
            return None
        resident = read_memory().resident_bytes
        if resident > self._max_bytes:
            log.info(
                "heap-exporter does not search for lost memory: the process has %s in RAM, more than the %s of "
                "HEAP_EXPORTER_LOST_MAX",
                size(resident),
                size(self._max_bytes),
            )
            return None
        try:
            found = self._walker.lost()
        except SourceMissing as error:
            log.info("heap-exporter could not search for lost memory: %s", error)
            return None
        self._first, self._last = self._first or found, found
        return found

    def growth(self) -> LostGrowth | None:
        """Return what was lost from the first search of this process to the last, ``None`` before the second."""
        first, last = self._first, self._last
        if first is None or last is None or first is last:
            return None
        return LostGrowth(first.taken_at, lost_growth(first.groups, last.groups), last)
