"""The monitor walks with the chosen walker, within its processor budget, and reports it."""

from pathlib import Path
from typing import Any

import pytest

from heap_exporter.errors import SettingsError, SnapshotError, WalkFailed
from heap_exporter.model import Reading, WalkerChoice
from heap_exporter.monitor import HeapMonitor
from heap_exporter.settings import Settings
from tests.doubles.native_walkers import FakeWalker, install_native, remove_native
from tests.doubles.web_source import until


def monitored(folder: Path, **settings: Any) -> HeapMonitor:
    return HeapMonitor(Settings.load({}, snapshot_dir=folder, **settings))


def first_reading(monitor: HeapMonitor) -> Reading:
    """Return the first reading with a verdict of a monitor that runs."""
    monitor.start()
    try:
        until(lambda: monitor.reading().verdict is not None)
    finally:
        monitor.stop()
    return monitor.reading()


def test_the_processor_time_of_a_clone_lengthens_the_interval_to_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_native(monkeypatch, lambda: FakeWalker(cpu_seconds=3.0))

    reading = first_reading(monitored(tmp_path, census_cpu=0.5))

    assert reading.census is not None
    assert reading.census_interval_seconds >= 3.0 / 0.005
    assert reading.census_interval_seconds < 2 * 3.0 / 0.005
    assert reading.counters.cpu_seconds >= 3.0


def test_the_processor_time_of_a_failed_clone_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walker = FakeWalker()
    walker.failure = WalkFailed("hung", "for 120 s", cpu_seconds=120.0)
    install_native(monkeypatch, lambda: walker)

    reading = first_reading(monitored(tmp_path))

    assert reading.census is None
    assert reading.census_interval_seconds >= 120.0 / 0.005
    assert reading.counters.sample_errors["census"] == 1
    assert reading.counters.walk_failures["hung"] == 1


def test_the_processor_time_of_a_census_in_this_process_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_native(monkeypatch, lambda: FakeWalker(cpu_seconds=3.0, in_process=True))

    reading = first_reading(monitored(tmp_path))

    assert reading.census_interval_seconds < 3.0 / 0.005
    assert reading.counters.cpu_seconds < 3.0


def test_the_first_reading_has_the_walker_and_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_native(monkeypatch, FakeWalker)
    assert monitored(tmp_path).reading().walker == WalkerChoice("native", "best")
    assert monitored(tmp_path, walker="portable").reading().walker == WalkerChoice("portable", "setting")

    remove_native(monkeypatch)
    choice = monitored(tmp_path).reading().walker
    assert choice is not None
    assert (choice.name, choice.reason) == ("portable", "no_extension")
    with pytest.raises(SettingsError, match="HEAP_EXPORTER_WALKER='native'"):
        monitored(tmp_path, walker="native")


def test_a_walker_that_keeps_failing_is_reported_with_the_next_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walker = FakeWalker()
    install_native(monkeypatch, lambda: walker)
    monitor = monitored(tmp_path)
    walker.failure = WalkFailed("killed", "by signal 9")
    for _ in range(3):
        with pytest.raises(SnapshotError, match=r"the heap walk failed \(killed\): by signal 9"):
            monitor.snapshot()

    reading = first_reading(monitor)

    assert reading.walker is not None
    assert (reading.walker.name, reading.walker.reason) == ("portable", "failing")
    assert reading.counters.walk_failures["killed"] == 3
    assert reading.census is not None
    assert reading.census.walker == "portable"
    assert list(tmp_path.glob("*.heap")) == []


def test_settings_reach_the_walker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walker = FakeWalker()
    install_native(monkeypatch, lambda: walker)

    monitored(tmp_path, snapshot_keys=True, walk_timeout=9)

    assert walker.options == {"keys": True, "timeout_seconds": 9.0}
