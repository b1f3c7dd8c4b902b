"""The lines whose memory grew between two profiles of allocations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from heap_exporter.model import AllocationGrowth, AllocationProfile, AllocationSite, CodeLine


def growth_by_line(
    now: AllocationProfile, before: AllocationProfile | None = None, *, limit: int | None = None
) -> tuple[AllocationGrowth, ...]:
    """Return the lines whose memory grew by more than its error, largest growth first, at most ``limit`` of them.

    Without ``before``, or if the hooks were installed again after it, growth counts from the time of the installation.
    """
    earlier = before.sites if before and before.started_at == now.started_at else ()
    known = {site.stack: site for site in earlier}
    lines: dict[tuple[CodeLine, CodeLine | None], _Sums] = {}
    for site in now.sites:
        if site.calls:
            lines.setdefault(_place(site), _Sums()).add(site, known)
    grown = [
        AllocationGrowth(line, caller, sums.bytes, math.sqrt(sums.squares), sums.objects)
        for (line, caller), sums in lines.items()
        if sums.bytes > math.sqrt(sums.squares)
    ]
    grown.sort(key=lambda growth: -growth.bytes)
    return tuple(grown[:limit])


@dataclass(slots=True)
class _Sums:
    bytes: float = 0.0
    objects: float = 0.0
    squares: float = 0.0

    def add(self, site: AllocationSite, known: Mapping[int, AllocationSite]) -> None:
        """Add the growth of a stack. The error is an upper bound: samples that both profiles have add none."""
        before = known.get(site.stack)
        self.bytes += site.live_bytes - (before.live_bytes if before else 0.0)
        self.objects += site.live_objects - (before.live_objects if before else 0.0)
        self.squares += site.plus_minus_bytes**2 + (before.plus_minus_bytes**2 if before else 0.0)


def _place(site: AllocationSite) -> tuple[CodeLine, CodeLine | None]:
    """Return the line that allocated, and the line of the application that called it."""
    line = site.calls[0]
    caller = next((call for call in site.calls if not call.is_library), None)
    return line, caller if caller != line else None
