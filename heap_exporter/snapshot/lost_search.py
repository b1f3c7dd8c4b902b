"""Searches for lost memory whenever a snapshot is taken, and keeps the first and the last result."""

from __future__ import annotations

from heap_exporter.errors import SourceMissing
from heap_exporter.model import LostMemory
from heap_exporter.probes.process import read_memory
from heap_exporter.runtime.formatting import size
from heap_exporter.runtime.logs import log
from heap_exporter.walker import Walker


class LostSearch:
    """Searches with ``walker`` if ``is_wanted``, while the process has at most ``max_bytes`` in RAM.

    ``first`` and ``last`` are results of this process, ``None`` before the first search.
    """

    def __init__(self, walker: Walker, *, is_wanted: bool, max_bytes: int) -> None:
        self.first: LostMemory | None = None
        self.last: LostMemory | None = None
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
        self.first, self.last = self.first or found, found
        return found
