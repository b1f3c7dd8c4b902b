"""Watches whether a suspected holder continues to grow with the memory of the process.

A cache may remove entries by a rule that is not known here. Then it shrinks, or keeps its size while the memory grows.
A leak does neither.
"""

from __future__ import annotations

from enum import Enum, auto

from heap_exporter.investigation.live_holder import live_holder
from heap_exporter.model import Accumulation, SettledHolder

GROWTH_CONTINUES_SHARE = 0.25
"""Share of the growth between the snapshots by which memory must grow again before they confirm a leak.

Two snapshots also show growth if they were taken while a queue or a cache was filling up.
"""

PRUNED_SHARE = 0.1
"""Share of its entries that a holder must lose to count as one that removes entries in batches."""


class HolderState(Enum):
    """How a suspected holder has changed since its snapshots."""

    UNDECIDED = auto()
    CONTINUES = auto()
    SETTLED = auto()
    """It has shrunk, or it kept its size while the memory of the process grew."""


class HolderWatch:
    """Watches one suspected holder from the comparison of its snapshots on.

    ``snapshot_bytes`` is the memory of the process at the later snapshot, ``grown_bytes`` its growth between the two,
    ``now_bytes`` the memory now.
    """

    def __init__(self, accumulation: Accumulation, snapshot_bytes: int, grown_bytes: int, now_bytes: int) -> None:
        self._holder = accumulation.holder
        self._needed_bytes = GROWTH_CONTINUES_SHARE * grown_bytes
        self._snapshot_bytes = snapshot_bytes
        self._first_bytes = now_bytes
        self._first = self._last = live_holder(accumulation.holder) if accumulation.objects > 0 else None
        self._peak = self._first.entries if self._first else 0

    def observe(self, now_bytes: int) -> HolderState:
        """Return how the holder has changed so far; ``now_bytes`` is the memory of the process now."""
        has_continued = now_bytes - self._snapshot_bytes >= self._needed_bytes
        latest = live_holder(self._holder) if self._first else None
        if self._first is None or latest is None:
            return HolderState.CONTINUES if has_continued else HolderState.UNDECIDED
        self._last, self._peak = latest, max(self._peak, latest.entries)
        if latest.entries < (1 - PRUNED_SHARE) * self._peak:
            return HolderState.SETTLED
        if has_continued and latest.entries > self._first.entries:
            return HolderState.CONTINUES
        held_still = now_bytes - self._first_bytes >= self._needed_bytes
        return HolderState.SETTLED if has_continued and held_still else HolderState.UNDECIDED

    def settled(self) -> SettledHolder | None:
        """Return the holder that has settled, with the most entries that it had while it was watched."""
        return SettledHolder(*self._last, peak_entries=self._peak) if self._last else None
