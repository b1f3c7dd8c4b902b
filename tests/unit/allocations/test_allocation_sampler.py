"""The sampler says why it cannot sample, and is off until it is started."""

from __future__ import annotations

import sys

import pytest

from heap_exporter.allocations import AllocationSampler
from heap_exporter.errors import AllocationsUnavailable
from heap_exporter.model import AllocationHooks


def test_a_sampler_that_is_not_started_is_off_and_has_no_profile() -> None:
    sampler = AllocationSampler()

    sampler.stop()

    assert (sampler.hooks, sampler.profile()) == (AllocationHooks.OFF, None)


def test_without_the_extension_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "heap_exporter._allocations", None)
    monkeypatch.delattr("heap_exporter._allocations", raising=False)

    with pytest.raises(AllocationsUnavailable, match="without its C extension") as raised:
        AllocationSampler().start()

    assert raised.value.reason == "no_extension"
