"""A sampler of allocations without hooks, whose profile a test sets."""

from __future__ import annotations

from dataclasses import replace

from heap_exporter.allocations import AllocationSampler
from heap_exporter.errors import AllocationsUnavailable
from heap_exporter.model import AllocationHooks, AllocationProfile, AllocationSite, CodeLine

CREATE = CodeLine("shop/sessions.py", 41, "create")
HANDLE = CodeLine("shop/app.py", 7, "handle")
DECODE = CodeLine("json/decoder.py", 353, "raw_decode", is_library=True)


def site(stack: int, *calls: CodeLine, live: float, error: float = 0.0) -> AllocationSite:
    """Return a stack whose objects have a hundred bytes each."""
    return AllocationSite(stack, calls, live, live / 100, error, live, live / 100)


def profile(*sites: AllocationSite, started_at: float = 1.0) -> AllocationProfile:
    """Return a profile of these stacks."""
    return AllocationProfile(started_at, started_at + 60, AllocationHooks.LIGHT, 131_072, 10, 0.1, sites)


class FakeSampler(AllocationSampler):
    """Counts its starts and stops."""

    def __init__(self) -> None:
        super().__init__()
        self.state = AllocationHooks.OFF
        self.starts = self.stops = 0
        self.problem: AllocationsUnavailable | None = None
        self.sites: tuple[AllocationSite, ...] = ()

    def start(self) -> None:
        if self.problem:
            raise self.problem
        self.starts += 1
        self.state = AllocationHooks.LIGHT

    def stop(self) -> None:
        self.stops += 1
        self.state = AllocationHooks.OFF

    @property
    def hooks(self) -> AllocationHooks:
        return self.state

    def profile(self) -> AllocationProfile | None:
        if self.state is AllocationHooks.OFF:
            return None
        return replace(profile(*self.sites), hooks=self.state)
