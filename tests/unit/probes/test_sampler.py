"""The sampler reads what it can: a probe that fails costs its own values and nothing else."""

import pytest

from heap_exporter.errors import SourceMissing
from heap_exporter.model import AllocatorMemory, MemoryLimits, SlowReadings
from heap_exporter.probes.sampler import PROBES, Sampler
from heap_exporter.runtime.error_boundary import ErrorBoundary


def missing() -> int:
    raise SourceMissing("it is not here")


def test_a_probe_that_fails_is_counted_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.probes.process.read_memory", missing)
    boundary = ErrorBoundary(PROBES)

    sample = Sampler(boundary).sample(process_started_at=None)

    assert sample.process is None
    assert sample.collector is not None
    assert sample.allocated_blocks
    assert boundary.errors == dict.fromkeys(PROBES, 0) | {"process": 1}


@pytest.mark.parametrize("headroom_bytes", [0, 100, 199])
def test_a_memory_limit_is_read_with_every_sample(headroom_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    newest, malloc = MemoryLimits(200, 42, {}), AllocatorMemory(1, 2)
    monkeypatch.setattr("heap_exporter.probes.cgroup.read_limits", lambda: newest)

    detail = Sampler().refresh_limits(SlowReadings(malloc=malloc, limits=MemoryLimits(200, headroom_bytes, {})))

    assert detail == SlowReadings(malloc=malloc, limits=newest)


@pytest.mark.parametrize("detail", [SlowReadings(), SlowReadings(limits=MemoryLimits(None, None, {}))])
def test_without_a_memory_limit_nothing_is_read_again(detail: SlowReadings) -> None:
    assert Sampler().refresh_limits(detail) is detail
