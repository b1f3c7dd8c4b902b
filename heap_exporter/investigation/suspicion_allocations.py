"""Samples allocations while a leak is suspected: what grows from then on is allocated from then on."""

from __future__ import annotations

from heap_exporter.allocations import AllocationSampler, growth_by_line
from heap_exporter.errors import AllocationsUnavailable
from heap_exporter.model import AllocationGrowth, AllocationHooks, AllocationProfile
from heap_exporter.runtime.logs import log

MAX_LINES = 3
"""Lines of code that an alert names."""


class SuspicionAllocations:
    """The samples of one suspicion. A sampler that was active before stays active after it."""

    def __init__(self, sampler: AllocationSampler, *, is_wanted: bool) -> None:
        self._sampler = sampler
        self._is_wanted = is_wanted
        self._has_started = False

    def begin(self) -> AllocationProfile | None:
        """Start to sample if that is wanted; return the profile of a sampler that is active already."""
        if self._sampler.hooks is not AllocationHooks.OFF:
            return self._sampler.profile()
        if self._is_wanted:
            try:
                self._sampler.start()
            except AllocationsUnavailable as error:
                log.info("the alert of the suspected leak will not say where memory was allocated: %s", error)
                return None
            self._sampler.ignore_this_thread()
            self._has_started = True
        return None

    def growth(self, before: AllocationProfile | None) -> tuple[AllocationGrowth, ...]:
        """Return the lines that allocated most of the growth since ``before``, the result of :meth:`begin`."""
        profile = self._sampler.profile()
        return growth_by_line(profile, before, limit=MAX_LINES) if profile else ()

    def end(self) -> None:
        """Stop sampling, unless it had started before the suspicion."""
        if self._has_started:
            self._sampler.stop()
            self._has_started = False
