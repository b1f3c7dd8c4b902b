"""A source that fails costs its own figures and nothing else."""

import logging

import pytest

from heap_exporter.errors import SourceMissing
from heap_exporter.probes.sources import Sources


def missing() -> int:
    raise SourceMissing("it is not here")


def broken() -> int:
    raise ZeroDivisionError("a bug of ours")


def test_a_missing_source_is_counted_each_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    sources = Sources()
    with caplog.at_level(logging.INFO, "heap_exporter"):
        for _ in range(3):
            assert sources.read("limits", missing) is None

    assert sources.errors["limits"] == 3
    assert caplog.text.count("it is not here") == 1


def test_a_bug_in_a_probe_is_contained_and_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    sources = Sources()

    assert sources.read("malloc", broken) is None
    assert "ZeroDivisionError" in caplog.text


def test_one_failing_source_leaves_the_others_standing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap_exporter.probes.process.read_memory", missing)

    sample = Sources().sample(process_started_at=None)

    assert sample.process is None
    assert sample.collector is not None
    assert sample.allocated_blocks
